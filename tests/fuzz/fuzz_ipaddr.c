/* base/net: what parses as an address prints and parses again as the same. */
#include "base/net.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipaddr ip, again;
	char text[IPADDR_TEXT_MAX];

	if (ipaddr_parse(fuzz_input(data, size), &ip) != 0)
		return 0;
	ipaddr_format(&ip, text);
	require(ipaddr_parse(strv_of(text), &again) == 0);
	require(ipaddr_eq(&ip, &again));
	return 0;
}
