/* spool: envelopes as they stand in the queue and as callers send them. */
#include "base/error.h"
#include "fuzz.h"
#include "spool/envelope_stream.h"
#include "spool/queue.h"

static void
check_file(struct strv in)
{
	struct buf scratch = BUF_INIT;
	struct envelope e;
	struct strv rest, text;
	char letter;

	if (envelope_parse(in, &scratch, &e) == 0) {
		require(e.sender.len + e.recipients.len < in.len);
		rest = e.recipients;
		while (record_next(&rest, &letter, &text) == 0)
			require(letter == 'T');
		require(rest.len == 0);
	}
	buf_free(&scratch);
}

static void
check_stream(struct strv in, unsigned steer)
{
	struct envelope_stream a = { 0 }, b = { 0 };
	size_t at = fuzz_cut(steer, in);
	size_t used = 0, first = 0, second = 0;
	int r = envelope_stream_feed(&a, in, &used);
	int s = envelope_stream_feed(&b, strv_head(in, at), &first);

	if (s == 0 && !b.complete)
		s = envelope_stream_feed(&b, strv_skip(in, at), &second);
	require(r == s && a.complete == b.complete);
	if (r != 0)
		return;
	require(used == first + second && used <= in.len);
	if (a.complete) {
		struct buf scratch = BUF_INIT;
		struct envelope e;

		/* What qmail-queue accepts, the other side can read. */
		require(envelope_parse(strv_head(in, used), &scratch, &e) == 0);
		buf_free(&scratch);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	unsigned steer = fuzz_take(&in);

	check_file(in);
	check_stream(in, steer);
	return 0;
}
