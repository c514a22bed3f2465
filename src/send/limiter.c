/* Places and pace of one destination; see the header.  No clock in here. */
#include "send/limiter.h"

enum { MICROSECONDS = 1000000, STRIKES_MAX = 16 };

static unsigned
ceiling(const struct limiter *l)
{
	return l->rule.concurrency * LIMITER_UNIT;
}

void
limiter_init(struct limiter *l, const struct destination_rule *rule)
{
	*l = (struct limiter){ .rule = *rule };
	l->window = ceiling(l);
}

void
limiter_set_rule(struct limiter *l, const struct destination_rule *rule)
{
	bool was_open = l->window >= ceiling(l);

	l->rule = *rule;
	if (was_open || l->window > ceiling(l))
		l->window = ceiling(l);
	l->next_us = 0;
}

bool
limiter_may_start(const struct limiter *l, int64_t now_us, int64_t *when_us)
{
	int64_t when = l->pause_until_us;

	if (l->active * LIMITER_UNIT + LIMITER_UNIT > l->window)
		return false;
	if (l->rule.rate != 0 && l->next_us > when)
		when = l->next_us;
	if (when <= now_us)
		return true;
	if (when < *when_us)
		*when_us = when;
	return false;
}

void
limiter_started(struct limiter *l, int64_t now_us)
{
	l->active++;
	if (l->rule.rate == 0)
		return;
	if (l->next_us < now_us - LIMITER_CREDIT_US)
		l->next_us = now_us - LIMITER_CREDIT_US;
	l->next_us += (int64_t)((uint64_t)MICROSECONDS * DESTINATION_RATE_UNIT /
				l->rule.rate);
}

static void
take_strike(struct limiter *l, int64_t now_us)
{
	int64_t pause_ms = LIMITER_PAUSE_MS;

	/* Answers to what was under way already are one strike, not many. */
	if (l->strikes > 0 && now_us < l->pause_until_us)
		return;
	for (unsigned i = 0; i < l->strikes; i++)
		if (pause_ms < LIMITER_PAUSE_MAX_MS)
			pause_ms *= 2;
	if (pause_ms > LIMITER_PAUSE_MAX_MS)
		pause_ms = LIMITER_PAUSE_MAX_MS;
	l->window /= 2;
	if (l->window < LIMITER_UNIT && l->rule.concurrency > 0)
		l->window = LIMITER_UNIT;
	l->pause_until_us = now_us + pause_ms * 1000;
	if (l->strikes < STRIKES_MAX)
		l->strikes++;
}

void
limiter_heard(struct limiter *l, enum limiter_outcome outcome, int64_t now_us)
{
	if (outcome == LIMITER_BUSY) {
		take_strike(l, now_us);
	} else if (outcome == LIMITER_GOOD) {
		unsigned more = l->window == 0
				    ? 0
				    : LIMITER_UNIT * LIMITER_UNIT / l->window;

		l->strikes = 0;
		l->pause_until_us = 0;
		l->window += more == 0 ? 1 : more;
		if (l->window > ceiling(l))
			l->window = ceiling(l);
	}
}

void
limiter_ended(struct limiter *l)
{
	l->active--;
}

static bool
is_busy_reply(struct strv text)
{
	const struct strv said = STRV("Remote host said: ");

	while (text.len > 0) {
		struct strv line = strv_cut(&text, '\n', NULL);

		if (!strv_starts(line, said))
			continue;
		line = strv_skip(line, said.len);
		return strv_starts(line, STRV("421")) ||
		       strv_starts(line, STRV("45"));
	}
	return false;
}

/*
 * The message's own record decides.  What a server says about a recipient
 * (greylisting, a full mailbox) is no sign that it has too much to do.
 */
enum limiter_outcome
limiter_judge(struct strv output)
{
	bool ended = true;

	while (ended) {
		struct strv record = strv_cut(&output, '\0', &ended);

		if (record.len == 0)
			continue;
		if (record.ptr[0] == 'K')
			return LIMITER_GOOD;
		if (record.ptr[0] == 'Z')
			return is_busy_reply(record) ? LIMITER_BUSY
						     : LIMITER_OTHER;
		if (record.ptr[0] == 'D')
			return LIMITER_OTHER;
	}
	return LIMITER_OTHER;
}
