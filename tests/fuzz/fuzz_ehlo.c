/* smtp/ehlo: what servers say that they offer. */
#include "fuzz.h"
#include "smtp/ehlo.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ehlo e, again;

	ehlo_init(&e);
	ehlo_init(&again);
	ehlo_parse(&e, fuzz_input(data, size));
	require(e.auth.len <= EHLO_AUTH_MAX && e.auth.err == 0);
	require(e.size_limit == 0 || (e.extensions & EHLO_SIZE) != 0);
	require(e.auth.len == 0 || (e.extensions & EHLO_AUTH) != 0);
	/* Nothing of an earlier answer is left. */
	ehlo_parse(&again, STRV("250-x\n250-AUTH A\n250 SIZE 5\n"));
	ehlo_parse(&again, fuzz_input(data, size));
	require(again.extensions == e.extensions &&
		again.size_limit == e.size_limit &&
		strv_eq(buf_view(&again.auth), buf_view(&e.auth)));
	ehlo_free(&e);
	ehlo_free(&again);
	return 0;
}
