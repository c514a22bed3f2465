/*
 * Message headers, line by line (RFC 5322 section 2.2), without ever holding
 * more of a message than one line's first bytes.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/strv.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Counts hops while a message passes: header lines that begin "received" or
 * "delivered", any case, up to the first empty line.  Lines end with LF.
 */
struct hop_counter {
	size_t hops;
	size_t column;  /* of the next byte in its line, at most 9 */
	char start[10]; /* the first bytes of the line, lower case */
	bool in_body;
};

void hop_counter_init(struct hop_counter *h);
void hop_counter_feed(struct hop_counter *h, struct strv bytes);

/* "Name" of "Name : value", empty if the line is no field. */
struct strv header_field_name(struct strv line);
/* True if line is the field called name (any case, blanks before ':'). */
bool header_field_is(struct strv line, struct strv name);
/*
 * Takes the next field, with its continuation lines and without its last LF,
 * off a message.  False at the end of the header: *rest is then the body.
 */
bool header_next(struct strv *rest, struct strv *field);
/* What follows the colon; empty view if the line is no field. */
struct strv header_field_value(struct strv line);

#endif
