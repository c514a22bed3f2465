/* Asks the checks of one stage in turn. */
#ifndef SMTPD_PIPELINE_H
#define SMTPD_PIPELINE_H

#include "smtpd/session.h"

/*
 * The verdict of a stage.  PASS means that no check had an opinion; at
 * STAGE_RELAY that never comes back: what nobody accepted is refused.
 */
struct verdict pipeline_run(struct session *s, enum stage stage);
/* The same over any list of checks. */
struct verdict pipeline_run_list(struct session *s, enum stage stage,
    const struct check *const checks[], size_t count);

/*
 * Where a plugin has spared a command the checks: those that judge who has
 * logged in, not the words of the command.  PASS or REJECT.
 */
struct verdict pipeline_run_login(struct session *s, enum stage stage);

/* False if a check is off or not for this session and its present recipient. */
bool pipeline_wants(const struct session *s, const struct check *check);

struct verdict verdict_pass(void);
struct verdict verdict_accept(void);
struct verdict verdict_good(void);
struct verdict verdict_reject(int code, const char *enhanced, const char *text);
/* The same of a check on spam: delayed if control/tarpitdelay is set. */
struct verdict verdict_refuse(int code, const char *enhanced, const char *text);

/* True for postmaster without a domain, or at any domain. */
bool recipient_is_postmaster(struct strv recipient);

#endif
