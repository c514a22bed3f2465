/* mail/maildirsize: what other programs and the user may write there. */
#include "base/error.h"
#include "fuzz.h"
#include "mail/maildirsize.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct maildirsize m;
	struct buf again = BUF_INIT;
	struct maildirsize other;
	int r = maildirsize_parse(in, &m);

	require(maildirsize_of_name(in) >= -1);
	maildirsize_counts(in);
	if (r == QE_SYNTAX)
		return 0;
	require(m.max_bytes >= 0 && m.max_messages >= 0);
	require(m.quota.len <= MAILDIRSIZE_QUOTA_MAX);
	if (r != 0)
		return 0;
	require(m.bytes >= 0 && m.messages >= 0);
	require(m.max_bytes == 0 || !maildirsize_admits(&m, INT64_MAX, 0));
	buf_add_view(&again, m.quota);
	buf_add_char(&again, '\n');
	maildirsize_add_line(&again, m.bytes, m.messages);
	require(maildirsize_parse(buf_view(&again), &other) == 0);
	require(other.bytes == m.bytes && other.messages == m.messages);
	require(other.max_bytes == m.max_bytes && other.lines == 1);
	buf_free(&again);
	return 0;
}
