/* Which names of domains and mailboxes can be hosted. */
#ifndef HOSTING_NAMES_H
#define HOSTING_NAMES_H

#include "base/buf.h"

#include <stdbool.h>

enum {
	HOSTING_DOMAIN_MAX = 253, /* bytes, RFC 1035 section 2.3.4 */
	HOSTING_LABEL_MAX = 63,
	HOSTING_LOCAL_MAX = 64 /* RFC 5321 section 4.5.3.1.1 */
};

/* Letters, digits, hyphens and dots, as host names have them; two labels. */
bool names_is_domain(struct strv domain);
/*
 * Letters, digits and "._+=-", none of them but letters and digits in front;
 * nothing that qmail-local would take for a catch-all ("default" at the end).
 */
bool names_is_local(struct strv local);
/*
 * True if a local part of one domain could be taken for an address of the
 * other, as both share a name space in users/assign: "b.org", "b.org-x.com".
 */
bool names_collide(struct strv domain, struct strv other);
/* A forwarding address: both parts there, nothing that breaks a line. */
bool names_is_target(struct strv address);

#endif
