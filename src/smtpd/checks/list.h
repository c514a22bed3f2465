/* The checks that there are; each is defined in the file of its name. */
#ifndef SMTPD_CHECKS_LIST_H
#define SMTPD_CHECKS_LIST_H

#include "smtpd/check.h"

extern const struct check check_badhelo;
extern const struct check check_badmailfrom;
extern const struct check check_badmailto;
extern const struct check check_bare_recipient;
extern const struct check check_clamd;
extern const struct check check_datechecks;
extern const struct check check_goodmailfrom;
extern const struct check check_maxrcpt;
extern const struct check check_mfcheck;
extern const struct check check_mxblacklist;
extern const struct check check_norelay;
extern const struct check check_ratelimit;
extern const struct check check_rcptcheck;
extern const struct check check_rcpthosts;
extern const struct check check_realrcptto;
extern const struct check check_realrcptto_data;
extern const struct check check_relayclient;
extern const struct check check_validrcptto;

/* What checks keep in the notes is theirs to free. */
void clamd_free(struct clamd **kept);
void rcptcheck_free(struct rcptcheck **kept);
void validrcptto_free(struct validrcptto **kept);
void realrcptto_free(struct realrcptto **kept);
void realrcptto_reset(struct realrcptto *kept); /* a new message */

#endif
