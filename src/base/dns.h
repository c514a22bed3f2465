/*
 * The stub resolver's client: MX and addresses, with EDNS0, TCP after
 * truncation, a deadline, and nothing believed that does not parse.
 *
 * Servers: those of /etc/resolv.conf, or those given to dns_open.
 */
#ifndef BASE_DNS_H
#define BASE_DNS_H

#include "base/net.h"

enum {
	DNS_NAME_MAX = 255,
	DNS_MX_MAX = 100,       /* records of one answer that are used */
	DNS_ADDRESSES_MAX = 64, /* of one name and family */
	DNS_RAW_MAX = 100       /* records of other types */
};

struct dns; /* opaque */

/*
 * servers: "ip" or "ip:port" or "[ipv6]:port", separated by blanks; empty for
 * the system's.  timeout_ms bounds each look-up as a whole.
 */
int dns_open(struct strv servers, int64_t timeout_ms, struct dns **out);
void dns_close(struct dns **dns);
/* Another bound for the look-ups to come. */
void dns_set_timeout(struct dns *dns, int64_t timeout_ms);

struct dns_mx {
	unsigned preference;
	char name[DNS_NAME_MAX + 1]; /* lower case, no final dot; "" is "." */
};

/*
 * 0 with *count >= 1, QE_ABSENT (the name exists, no MX), QE_DENIED
 * (NXDOMAIN), QE_TEMP (no usable answer in time), QE_SYNTAX (not a name).
 */
int dns_mx(struct dns *dns, struct strv name, struct dns_mx out[DNS_MX_MAX],
    size_t *count);
/* A and AAAA records (family AF_UNSPEC, AF_INET, AF_INET6) are appended. */
int dns_addresses(
    struct dns *dns, struct strv name, int family, struct ipaddr_list *out);

/*
 * TXT and TLSA records as they are: raw is emptied first, and dns_raw_next
 * takes them off its view one by one.  As dns_mx, and QE_LIMIT.
 */
int dns_txt(struct dns *dns, struct strv name, struct buf *raw);
int dns_tlsa(struct dns *dns, struct strv name, struct buf *raw);
/* False at the end. */
bool dns_raw_next(struct strv *rest, struct strv *record);
/*
 * True if the server says that DNSSEC vouches for all of the last look-up, be
 * it an answer or that there is none; of addresses, for both families, but for
 * one about which nothing could be found out.  Worth as much as the server and
 * the way to it: with a validating resolver on this host, a lot.
 */
bool dns_was_secure(const struct dns *dns);

#endif
