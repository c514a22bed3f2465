/* smtp/clamd: commands and streams of a scanner's clients, in any cutting. */
#include "base/error.h"
#include "fuzz.h"
#include "smtp/clamd.h"

/* All that a stream holds, taken in pieces of n bytes. */
static bool
read_stream(struct strv wire, size_t n, struct buf *out)
{
	struct clamd_stream s = { .seen = 0 };

	while (wire.len > 0 && !s.done) {
		struct strv piece = strv_head(wire, n), data;
		size_t before = piece.len;

		while (piece.len > 0 && !s.done) {
			size_t had = piece.len;

			clamd_stream_take(&s, &piece, &data);
			require(piece.len < had);
			buf_add_view(out, data);
		}
		wire = strv_skip(wire, before - piece.len);
	}
	return s.done;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	size_t piece = fuzz_take(&in) % 16 + 1;
	struct buf whole = BUF_INIT, cut = BUF_INIT;
	enum clamd_command command = CLAMD_UNKNOWN;
	size_t used = 0;
	char end = '?';
	int r = clamd_command_parse(in, &command, &end, &used);

	require(r == 0 || r == QE_EOF || r == QE_LIMIT);
	require(r != QE_EOF || in.len <= CLAMD_COMMAND_MAX + 1);
	if (r == 0) {
		require(used > 0 && used <= in.len);
		require(end == '\0' || end == '\n');
		in = strv_skip(in, used);
	}
	require(read_stream(in, in.len + 1, &whole) ==
		read_stream(in, piece, &cut));
	require(strv_eq(buf_view(&whole), buf_view(&cut)));
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
