/* smtp/p0f: answers of whoever listens on its socket. */
#include "base/error.h"
#include "fuzz.h"
#include "smtp/p0f.h"

#include <string.h>

static void
require_printable(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		require(b->data[i] >= ' ' && b->data[i] < 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char answer[P0F_ANSWER_BYTES] = { 0 };
	struct buf os = BUF_LIMIT(P0F_OS_MAX), about = BUF_LIMIT(P0F_ABOUT_MAX);
	int r;

	if (size > 0)
		memcpy(answer, data,
		    size < sizeof(answer) ? size : sizeof(answer));
	r = p0f_answer_parse(answer, &os, &about);
	/* Everything that parses has room. */
	require(r == 0 || r == QE_ABSENT || r == QE_SYNTAX);
	require((r == 0) == (os.len > 0));
	require(about.len >= os.len);
	require_printable(&os);
	require_printable(&about);
	buf_free(&os);
	buf_free(&about);
	return 0;
}
