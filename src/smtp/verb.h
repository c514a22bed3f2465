/* A command line split: verb before the first blank, argument behind it. */
#ifndef SMTP_VERB_H
#define SMTP_VERB_H

#include "base/strv.h"

struct verb_line {
	struct strv verb;     /* compare without regard to case */
	struct strv argument; /* blanks at both ends removed */
};

struct verb_line verb_split(struct strv line);

/*
 * ESMTP parameters (RFC 5321 section 4.1.2): takes the next "KEY=value" or
 * "KEY" off *rest.  0, QE_EOF, QE_SYNTAX.
 */
int esmtp_parameter_next(
    struct strv *rest, struct strv *key, struct strv *value);

#endif
