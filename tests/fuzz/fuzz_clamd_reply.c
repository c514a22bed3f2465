/* smtp/clamd: what a scanner answers, and the name it gives. */
#include "fuzz.h"
#include "smtp/clamd.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct buf name = BUF_INIT;
	struct strv about;
	enum clamd_verdict verdict = clamd_reply_parse(in, &about);

	/* What it says of the reply is a part of the reply. */
	require(about.ptr >= in.ptr);
	require(about.ptr + about.len <= in.ptr + in.len);
	require(verdict != CLAMD_CLEAN || strv_eq(in, STRV("stream: OK")));
	require(verdict != CLAMD_FOUND || about.len > 0);
	clamd_add_name(&name, about);
	require(name.err == 0 && name.len <= CLAMD_NAME_MAX);
	for (size_t i = 0; i < name.len; i++) {
		require(name.data[i] >= ' ' && name.data[i] < 0x7f);
		require(name.data[i] != '"' && name.data[i] != '\\');
	}
	buf_free(&name);
	return 0;
}
