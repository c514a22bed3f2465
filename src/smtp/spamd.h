/*
 * What spamd of SpamAssassin, and rspamd in its manner, says of a message: the
 * response of the SPAMC protocol to SYMBOLS.
 */
#ifndef SMTP_SPAMD_H
#define SMTP_SPAMD_H

#include "base/buf.h"

#include <stdbool.h>

enum {
	SPAMD_RESPONSE_MAX = 16384, /* bytes of all of it */
	SPAMD_TESTS_MAX = 600, /* bytes of the tests' names that are kept */
	SPAMD_SCORE_MAX = 100000000 /* thousandths */
};

struct spamd_result {
	bool is_spam;        /* by the server's own threshold */
	int score, required; /* thousandths of a point */
};

/* "15.3", "-0.25": thousandths, digits behind the third dropped.  0 or
 * QE_SYNTAX. */
int spamd_parse_score(struct strv text, int *out);
/* The same in words, one digit behind the point. */
void spamd_add_score(struct buf *out, int score);

/*
 * Reads a whole response.  tests gets the names, separated by commas, with
 * nothing in them but letters, digits and underscores.  0, or QE_SYNTAX: the
 * server failed, or this is none.
 */
int spamd_parse(
    struct strv response, struct spamd_result *out, struct buf *tests);

#endif
