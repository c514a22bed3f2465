/*
 * auth/credentials: what descriptor 3 or a packet holds.  The three strings
 * lie in the bytes that were given, one behind the other.
 */
#include "base/error.h"
#include "fuzz.h"
/* Of a program room, which is no archive. */
#include "auth/credentials.c"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	struct credentials c;
	int r = credentials_take(in, &c);

	require(r == 0 || r == QE_SYNTAX || r == QE_LIMIT);
	require((r == QE_LIMIT) == (in.len > CREDENTIALS_MAX));
	if (r != 0)
		return 0;
	require(c.login == c.bytes && c.login[0] != '\0');
	require(c.a == c.login + strlen(c.login) + 1);
	require(c.b == c.a + strlen(c.a) + 1);
	require(c.b + strlen(c.b) + 1 <= c.bytes + in.len);
	return 0;
}
