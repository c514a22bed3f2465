/* Nets of IP addresses: "192.0.2.0/24", "2001:db8::/32", or one address. */
#ifndef BASE_CIDR_H
#define BASE_CIDR_H

#include "base/net.h"

struct cidr {
	struct ipaddr ip;
	unsigned bits; /* of ip that count */
};

/*
 * 0 or QE_SYNTAX.  Bits of ip behind the prefix are cleared.  A net of IPv4
 * addresses mapped into IPv6 becomes the IPv4 net.
 */
int cidr_parse(struct strv text, struct cidr *out);
/* False for addresses of the other family. */
bool cidr_has(const struct cidr *net, const struct ipaddr *ip);

/*
 * False for what leads to this host, its own network or nobody: RFC 6890's
 * "this network", private, shared, loopback and link-local nets, multicast
 * and reserved ones, and IPv6 addresses that carry such an IPv4 address.
 */
bool ipaddr_is_public(const struct ipaddr *ip);

#endif
