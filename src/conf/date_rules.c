/*
 * prefix:days, one a line.  All lines are read before one is believed: a
 * wrong one is found before the day it is needed.
 */
#include "conf/date_rules.h"
#include "base/error.h"
#include "conf/control_file.h"

static int
days_of(const struct control_entry *rule, int64_t *days)
{
	uint64_t n = 0;
	int r =
	    strv_to_u64(strv_trim_blanks(rule->value), DATE_RULES_DAYS_MAX, &n);

	if (r == 0)
		*days = (int64_t)n;
	return r;
}

int
date_rules_load(struct control_set *out, struct control_error *err)
{
	struct control_set rules;
	int64_t days;
	int r = control_set_load(CTL_DATECHECKS, &rules, err);

	if (r != 0)
		return r;
	for (size_t i = 0; i < rules.count; i++) {
		if (days_of(&rules.entries[i], &days) == 0)
			continue;
		control_error_set(err, "control/datechecks",
		    rules.entries[i].line, "not a number of days");
		control_set_free(&rules);
		return QE_SYNTAX;
	}
	*out = rules;
	return 0;
}

int
date_rules_find(
    const struct control_set *rules, struct strv prefix, int64_t *days)
{
	const struct control_entry *rule = control_set_find(rules, prefix);

	return rule == NULL ? QE_ABSENT : days_of(rule, days);
}
