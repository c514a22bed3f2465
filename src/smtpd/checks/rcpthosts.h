/* What several checks ask about the domain of a recipient. */
#ifndef SMTPD_CHECKS_RCPTHOSTS_H
#define SMTPD_CHECKS_RCPTHOSTS_H

#include "smtpd/check.h"

/*
 * Is mail for this domain accepted from everybody?  0, QE_ABSENT (no), or
 * another negative code with err telling why there is no answer.  The files
 * are opened at the first question of a session.
 */
int rcpthosts_ask(
    struct notes *notes, struct strv domain, struct control_error *err);

#endif
