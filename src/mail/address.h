/*
 * Mail addresses: the envelope form of qmail (local@domain, split at the last
 * '@'), the path syntax of SMTP (RFC 5321 section 4.1.2) and quoting.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/buf.h"

#include <stdbool.h>

/* What follows the last '@'; empty view if there is none. */
struct strv address_domain(struct strv address);
/* What stands before the last '@'; the whole if there is none. */
struct strv address_local(struct strv address);

/*
 * Parses the argument of MAIL FROM or RCPT TO behind the colon: a path in
 * <>, quoted strings and backslashes undone, a source route dropped.  What
 * stands before the first '<' is ignored.  Without '<' (the value of a
 * parameter, AUTH=<>, is none) the address ends at the first blank and
 * *brackets_found is false.  Appends to out; *rest is what follows: the ESMTP
 * parameters.  0; QE_SYNTAX (no closing bracket or quote; NUL, CR or LF
 * anywhere); QE_LIMIT (out's max reached).
 */
int address_parse_path(struct strv argument, struct buf *out,
    bool *brackets_found, struct strv *rest);

/* Appends the address with its local part quoted where RFC 5321 needs it. */
void address_add_quoted(struct buf *out, struct strv address);

/* True if it holds NUL, CR or LF: such an address is never accepted. */
bool address_is_poisoned(struct strv address);

/*
 * True if the address could not be told from what follows it in SMTP: it is
 * poisoned, or its domain, which no quotes can hold, has a blank, a control
 * or one of < > " \ in it.
 */
bool address_breaks_path(struct strv address);

#endif
