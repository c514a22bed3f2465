/* mail/netstring: what is taken is what adding it again would give. */
#include "base/error.h"
#include "fuzz.h"
#include "mail/netstring.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct strv out;

	for (;;) {
		struct strv before = in;
		struct buf again = BUF_INIT;
		int r = netstring_take(&in, 1000, &out);

		if (r != 0) {
			require(r == QE_EOF || r == QE_SYNTAX || r == QE_LIMIT);
			require(in.ptr == before.ptr && in.len == before.len);
			return 0;
		}
		require(out.len <= 1000);
		netstring_add(&again, out);
		require(strv_eq(
		    buf_view(&again), strv_head(before, before.len - in.len)));
		buf_free(&again);
	}
}
