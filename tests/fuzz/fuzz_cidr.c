/* base/cidr: what parses as a net holds its own address. */
#include "base/cidr.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cidr net;

	if (cidr_parse(fuzz_input(data, size), &net) != 0)
		return 0;
	require(net.bits <= (net.ip.family == AF_INET ? 32 : 128));
	require(cidr_has(&net, &net.ip));
	return 0;
}
