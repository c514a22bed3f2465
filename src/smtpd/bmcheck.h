/*
 * What badhelo, badmailfrom, badmailto and goodmailfrom share: a file of
 * expressions, which variables move or switch off, read when first needed.
 */
#ifndef SMTPD_BMCHECK_H
#define SMTPD_BMCHECK_H

#include "smtpd/session.h"

enum { BMCHECK_REPORTS_MAX = 20 }; /* lines logged about one file */

struct bmcheck_kind {
	enum bmcheck_list list;
	const char *file;     /* relative to the home */
	const char *variable; /* names another file */
	const char *off;      /* switches it off, whatever its value */
	const char *tag;      /* of the log line about a hit */
};

/*
 * True if subject is on the list.  What it is to be then is hit; else PASS,
 * or a temporary refusal if the list cannot be read.
 */
struct verdict bmcheck_run(const struct session *s, struct notes *notes,
    const struct bmcheck_kind *kind, struct strv subject,
    const struct verdict *hit);

#endif
