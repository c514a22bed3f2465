/*
 * control/destinations: what one destination may be asked to take.  A value
 * is "concurrency", "concurrency:rate" or ":rate"; the rate is in messages a
 * second, with up to three digits behind a point.
 */
#ifndef CONF_DESTINATION_RULE_H
#define CONF_DESTINATION_RULE_H

#include "conf/control.h"

#include <stdbool.h>

enum {
	DESTINATION_CONCURRENCY_MAX = 65000,
	DESTINATION_CONCURRENCY = 20, /* where no rule says another */
	DESTINATION_RATE_UNIT = 1000, /* rate is in thousandths */
	DESTINATION_RATE_MAX = 1000000
};

struct destination_rule {
	unsigned concurrency; /* connections at a time; 0: all is deferred */
	uint64_t rate; /* messages in a thousand seconds; 0: as they come */
};

#define DESTINATION_RULE_NONE                                                  \
	((struct destination_rule){ DESTINATION_CONCURRENCY, 0 })

/* 0, or QE_SYNTAX, QE_LIMIT and *out is untouched. */
int destination_rule_parse(struct strv value, struct destination_rule *out);
/*
 * control/destinations as a set.  A line that makes no sense is QE_SYNTAX and
 * err names the first one; out is filled in all the same, and the caller's to
 * free.  Other failures as those of control_set_load.
 */
int destination_rules_load(struct control_set *out, struct control_error *err);

#endif
