/* control/datechecks: prefixes of addresses that expire, and after how long. */
#ifndef CONF_DATE_RULES_H
#define CONF_DATE_RULES_H

#include "conf/control.h"

enum { DATE_RULES_DAYS_MAX = 36525 }; /* a hundred years */

/*
 * As control_set_load, and every value is a number of days.  QE_SYNTAX names
 * the first line that is not.
 */
int date_rules_load(struct control_set *out, struct control_error *err);
/* Days for a prefix, without regard to case: 0 or QE_ABSENT. */
int date_rules_find(
    const struct control_set *rules, struct strv prefix, int64_t *days);

#endif
