/*
 * How many transactions a destination gets at a time and how often: what
 * control/destinations allows, and less while the peer says that it is busy.
 *
 * The window works as in congestion control: halved by each "421" or "45x"
 * that concerns more than one recipient, and opened by a part of itself with
 * each message that was taken.  A peer that is busy with a window of one gets
 * pauses that double, up to PAUSE_MAX.
 */
#ifndef SEND_LIMITER_H
#define SEND_LIMITER_H

#include "conf/destination_rule.h"

enum {
	LIMITER_UNIT = 16, /* a place in the window */
	LIMITER_PAUSE_MS = 1000,
	LIMITER_PAUSE_MAX_MS = 60000,
	/* Credit that a pause in the traffic leaves for a burst. */
	LIMITER_CREDIT_US = 100000
};

#define LIMITER_NEVER INT64_MAX

struct limiter {
	struct destination_rule rule;
	unsigned active;
	unsigned window;  /* in units */
	unsigned strikes; /* busy answers since the last good one */
	int64_t pause_until_us;
	int64_t next_us; /* when the rate allows the next */
};

enum limiter_outcome { LIMITER_GOOD, LIMITER_BUSY, LIMITER_OTHER };

void limiter_init(struct limiter *l, const struct destination_rule *rule);
/* A new rule; what was learnt about the peer stays. */
void limiter_set_rule(struct limiter *l, const struct destination_rule *rule);
/*
 * True if one more may begin now.  Else *when_us is lowered to the time when
 * that can change without anything else happening.
 */
bool limiter_may_start(
    const struct limiter *l, int64_t now_us, int64_t *when_us);
void limiter_started(struct limiter *l, int64_t now_us);
/* What came out of one, in time before the next one begins. */
void limiter_heard(
    struct limiter *l, enum limiter_outcome outcome, int64_t now_us);
void limiter_ended(struct limiter *l);

/* What qmail-remote's words (its output for one recipient) say of the peer. */
enum limiter_outcome limiter_judge(struct strv output);

#endif
