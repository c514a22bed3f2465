/* pop3/maildrop: what names of messages tell stays within its bounds. */
#include "fuzz.h"
#include "pop3/maildrop.h"

#include <string.h>

#define SIZE_MOST (UINT64_C(1) << 50)
#define TIME_MOST (INT64_C(10000000000) * 1000000)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv name = fuzz_input(data, size);
	struct strv before = strv_head(name, strv_find(name, ':'));
	uint64_t bytes = 7, again;
	int64_t time = 7, then;
	bool told = maildrop_parse_name(name, &bytes, &time);

	/* What stands behind the colon is a matter of flags. */
	require(maildrop_parse_name(before, &again, &then) == told);
	if (!told) {
		require(bytes == 7 && time == 7);
		return 0;
	}
	require(bytes == again && time == then);
	require(bytes <= SIZE_MOST);
	require(time >= 0 && time < TIME_MOST);
	require(memmem(before.ptr, before.len, ",S=", 3) != NULL);
	return 0;
}
