/* The arguments of MAIL and RCPT: an address and what follows it. */
#ifndef SMTPD_PATH_H
#define SMTPD_PATH_H

#include "base/buf.h"
#include "smtpd/session.h"

#include <stdbool.h>

struct path_rules {
	struct strv keyword; /* "FROM" or "TO" */
	bool needs_brackets;
	const char *too_long; /* enhanced code: "5.1.7" or "5.1.3" */
};

/*
 * Splits "FROM:<address> parameters".  out->max is the longest address.  0;
 * QE_SYNTAX; QE_DENIED (no brackets where they are needed); QE_LIMIT;
 * QE_NOMEM.
 */
int path_parse(const struct path_rules *rules, struct strv argument,
    struct buf *out, struct strv *parameters);
/* What the client hears of a result other than 0. */
struct reply path_refusal(const struct path_rules *rules, int result);

/*
 * Replaces @[own address] by @localiphost.  A code of 0, or what the client
 * hears if that could not be found out.
 */
struct reply path_localize(const struct session *s, struct buf *address);

#endif
