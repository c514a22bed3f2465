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

static const struct cidr not_public[] = {
	{{ AF_INET, { 0 } },            8 },
	{ { AF_INET, { 10 } },          8 },
	{ { AF_INET, { 100, 64 } },     10},
	{ { AF_INET, { 127 } },         8 },
	{ { AF_INET, { 169, 254 } },    16},
	{ { AF_INET, { 172, 16 } },     12},
	{ { AF_INET, { 192, 168 } },    16},
	{ { AF_INET, { 224 } },         3 },
	{ { AF_INET6, { 0 } },          8 },
	{ { AF_INET6, { 0xfc } },       7 },
	{ { AF_INET6, { 0xfe, 0x80 } }, 9 },
	{ { AF_INET6, { 0xff } },       8 },
};

/* Where NAT64 (RFC 6052) and 6to4 (RFC 3056) keep an IPv4 address. */
static const struct {
	struct cidr net;
	size_t offset; /* of the four bytes */
} carriers[] = {
	{{ { AF_INET6, { 0, 0x64, 0xff, 0x9b } }, 96 }, 12},
	{ { { AF_INET6, { 0x20, 0x02 } }, 16 },         2 },
};

static bool
is_not_public(const struct ipaddr *ip)
{
	for (size_t i = 0; i < sizeof(not_public) / sizeof(*not_public); i++)
		if (cidr_has(&not_public[i], ip))
			return true;
	return false;
}

bool
ipaddr_is_public(const struct ipaddr *ip)
{
	struct ipaddr carried;

	for (size_t i = 0; i < sizeof(carriers) / sizeof(*carriers); i++) {
		if (!cidr_has(&carriers[i].net, ip))
			continue;
		ipaddr_set(&carried, AF_INET, ip->bytes + carriers[i].offset);
		return !is_not_public(&carried);
	}
	return !is_not_public(ip);
}
