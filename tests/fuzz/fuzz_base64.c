/* mail/base64: what decodes is what encoding again gives. */
#include "base/error.h"
#include "fuzz.h"
#include "mail/base64.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct buf plain = BUF_INIT, again = BUF_INIT;
	int r = base64_decode(&plain, in);

	require(r == 0 || r == QE_SYNTAX);
	require(r == 0 || plain.len == 0);
	if (r == 0) {
		base64_encode(&again, buf_view(&plain));
		require(strv_eq(buf_view(&again), in));
	}
	buf_reset(&plain);
	buf_reset(&again);
	base64_encode(&again, in);
	require(base64_decode(&plain, buf_view(&again)) == 0);
	require(strv_eq(buf_view(&plain), in));
	buf_free(&plain);
	buf_free(&again);
	return 0;
}
