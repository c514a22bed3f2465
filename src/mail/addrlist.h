/*
 * Address lists of header fields: parsed, completed with the host's defaults
 * and printed again.
 *
 * Accepted beyond RFC 822: a missing comma between two addresses, addresses
 * without a host, empty elements, stray dots and '@' before a domain, and
 * what ends in "@[]" (VERP).  Source routes are dropped.
 */
#ifndef MAIL_ADDRLIST_H
#define MAIL_ADDRLIST_H

#include "base/buf.h"

#include <stddef.h>

enum {
	ADDRLIST_ADDRESS_MAX = 1002,    /* bytes; what the queue accepts */
	ADDRLIST_ELEMENT_TOKENS = 1000, /* of a name, or inside <> */
	ADDRLIST_BYTES_MAX = 64 << 20,  /* of a printed list */
	ADDRLIST_COLUMNS = 80
};

/* What completes addresses; no view is empty or begins with a dot. */
struct address_rules {
	struct strv default_host;   /* for addresses without '@' */
	struct strv default_domain; /* for hosts without a dot */
	struct strv plus_domain;    /* for hosts that end in '+' */
};

struct addrlist {
	struct buf printed;   /* folded, without a final line end */
	struct buf addresses; /* each ended by NUL, left to right; <> is "" */
	size_t count;         /* of addresses */
};

#define ADDRLIST_INIT                                                          \
	{                                                                      \
		.printed = BUF_LIMIT(ADDRLIST_BYTES_MAX),                      \
		.addresses = BUF_LIMIT(ADDRLIST_BYTES_MAX)                     \
	}

/*
 * Adds the list in value to out; column is where its first line begins.  0;
 * QE_SYNTAX; QE_LIMIT (an address, an element or the whole is too long);
 * QE_NOMEM.  After a failure out holds rubbish.
 */
int addrlist_parse(struct strv value, const struct address_rules *rules,
    size_t column, struct addrlist *out);
void addrlist_free(struct addrlist *list);

/* Completes a host name as the rules say. */
void address_rules_add_host(
    const struct address_rules *rules, struct strv host, struct buf *out);

#endif
