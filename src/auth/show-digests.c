/*
 * Which digests this host's libcrypto has, as a header for the servers, which
 * link no cryptography but have to know what they can offer.  Run by make.
 */
#include "base/digest.h"

#include <stdio.h>

int
main(void)
{
	printf("#define CONFIG_RIPEMD160 %d\n",
	    digest_is_available(DIGEST_RIPEMD160));
	return 0;
}
