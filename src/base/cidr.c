/*
 * Prefixes of IPv4 and IPv6 addresses (RFC 4632, RFC 4291 section 2.3), as
 * control files list them.
 */
#include "base/cidr.h"

#include "base/error.h"

#include <string.h>

enum { IPV4_BITS = 32, IPV6_BITS = 128, MAPPED_BITS = 96, BYTE_BITS = 8 };

static unsigned
family_bits(int family)
{
	return family == AF_INET ? IPV4_BITS : IPV6_BITS;
}

/* Clears what lies behind the prefix, so that nets compare byte by byte. */
static void
clear_host(struct cidr *net)
{
	unsigned whole = net->bits / BYTE_BITS;
	unsigned rest = net->bits % BYTE_BITS;

	if (whole >= sizeof(net->ip.bytes))
		return;
	net->ip.bytes[whole] &= (unsigned char)(0xff00U >> rest);
	memset(net->ip.bytes + whole + 1, 0, sizeof(net->ip.bytes) - whole - 1);
}

/* The number behind the slash, as bits of what the address has become. */
static int
parse_bits(struct strv text, bool written_v6, struct cidr *net)
{
	unsigned most = written_v6 ? IPV6_BITS : IPV4_BITS;
	uint64_t bits;

	if (strv_to_u64(text, most, &bits) != 0)
		return QE_SYNTAX;
	if (written_v6 && net->ip.family == AF_INET) {
		if (bits < MAPPED_BITS)
			return QE_SYNTAX;
		bits -= MAPPED_BITS;
	}
	net->bits = (unsigned)bits;
	return 0;
}

int
cidr_parse(struct strv text, struct cidr *out)
{
	struct strv bits = text;
	bool has_bits;
	struct strv address = strv_cut(&bits, '/', &has_bits);
	struct cidr net;
	int r = ipaddr_parse(address, &net.ip);

	if (r != 0)
		return r;
	net.bits = family_bits(net.ip.family);
	if (has_bits)
		r = parse_bits(
		    bits, strv_find(address, ':') != STRV_NPOS, &net);
	if (r != 0)
		return r;
	clear_host(&net);
	*out = net;
	return 0;
}

bool
cidr_has(const struct cidr *net, const struct ipaddr *ip)
{
	struct cidr other = { .ip = *ip, .bits = net->bits };

	if (net->ip.family != ip->family)
		return false;
	clear_host(&other);
	return ipaddr_eq(&net->ip, &other.ip);
}
