/* base/ident: what a stranger's host answers. */
#include "base/error.h"
#include "base/ident.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf user = BUF_INIT;
	int r = ident_parse(fuzz_input(data, size), &user);

	require(r == 0 || r == QE_ABSENT || r == QE_NOMEM);
	require(r == 0 || user.len == 0);
	require(user.len <= IDENT_USER_MAX);
	for (size_t i = 0; i < user.len; i++)
		require((unsigned char)user.data[i] >= ' ');
	buf_free(&user);
	return 0;
}
