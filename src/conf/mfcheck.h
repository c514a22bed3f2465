/* control/mfchecktime: how long outcomes of callbacks are remembered. */
#ifndef CONF_MFCHECK_H
#define CONF_MFCHECK_H

#include "conf/control.h"

enum { MFCHECK_TIME_MAX = 30 * 86400 };

struct mfcheck_times {
	int64_t accepted; /* seconds; 0: not at all */
	int64_t other;    /* of refusals, and where nobody could be asked */
};

/*
 * "accepted other" in seconds; of a single number, other is the same but at
 * most its default.  0, or a negative code and err tells.
 */
int mfcheck_times_load(struct mfcheck_times *out, struct control_error *err);

#endif
