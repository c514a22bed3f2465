/*
 * The mail exchangers of a domain (RFC 5321 section 5.1): MX records by
 * preference, or the domain's own addresses where there are none.
 *
 * Addresses of an exchanger are looked up when they are asked for.
 */
#ifndef SMTPD_EXCHANGERS_H
#define SMTPD_EXCHANGERS_H

#include "base/dns.h"

#include <stdbool.h>

enum { EXCHANGER_ADDRESSES_MAX = 1000 };

struct exchangers {
	struct dns *dns;      /* lent */
	int64_t deadline_ms;  /* for all look-ups together */
	struct dns_mx *hosts; /* owned; best first */
	size_t count, asked;
	struct ipaddr_list addresses; /* of those asked so far */
	bool failed;                  /* the DNS did not tell all */
};

/* "[192.0.2.1]" and the like: 0 or QE_ABSENT.  Needs no DNS. */
int exchangers_literal(struct exchangers *e, struct strv domain);
/*
 * 0; QE_ABSENT if nobody takes mail for the domain: no such name, neither MX
 * nor address, a null MX (RFC 7505); QE_TEMP if the DNS does not tell;
 * QE_NOMEM.
 */
int exchangers_find(struct exchangers *e, struct dns *dns, struct strv domain,
    int64_t deadline_ms);
/*
 * Address number index, from 0, in the order in which mail would try them.
 * 0; QE_EOF if there are not so many; QE_TEMP if that cannot be known;
 * QE_NOMEM.
 */
int exchangers_address(struct exchangers *e, size_t index, struct ipaddr *out);
void exchangers_free(struct exchangers *e);

#endif
