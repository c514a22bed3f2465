/* control/auth/ratelimit: how much one login may send. */
#ifndef CONF_RATE_LIMIT_H
#define CONF_RATE_LIMIT_H

#include "conf/control.h"

enum {
	RATE_RECIPIENTS_MAX = 1000000000,
	RATE_SECONDS_MAX = 31536000 /* a year */
};

struct rate_limit {
	int64_t recipients; /* 0 without a limit */
	int64_t seconds;
};

/*
 * "recipients/seconds", both at least 1; a missing or empty file is no limit.
 * 0, or a negative code and err tells.
 */
int rate_limit_load(struct rate_limit *out, struct control_error *err);

#endif
