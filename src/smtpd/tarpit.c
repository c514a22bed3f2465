/*
 * Tarpitting: a client that asks for too much waits.  Sleeping is waiting for
 * the peer's end of the connection, so it costs nothing and ends with it.
 */
#include "smtpd/tarpit.h"
#include "base/clock.h"
#include "base/env.h"
#include "smtpd/log.h"

#include <poll.h>

/* Delays for rejections need the operator's word, not the default's. */
static bool
is_delay_set(void)
{
	return env_get(control_variable(CTL_TARPITDELAY)) != NULL ||
	       control_exists(CTL_TARPITDELAY);
}

bool
tarpit_counts(const struct tarpit_settings *tarpit, size_t count)
{
	return tarpit->count > 0 && count > (size_t)tarpit->count;
}

void
tarpit_delay(struct session *s, enum tarpit_cause cause)
{
	const struct tarpit_settings *tarpit = &s->settings.tarpit;
	int64_t end;

	if (cause == TARPIT_NONE || s->state != SESSION_OPEN)
		return;
	if (!tarpit->enabled || tarpit->delay == 0 || s->relay)
		return;
	if (cause == TARPIT_REJECTION && !is_delay_set())
		return;
	if (s->settings.log.tarpitting)
		log_envelope(s, "TARPIT");
	session_flush(s);
	end = session_deadline(s, tarpit->delay);
	/* The reply to a message must not come after the client has gone. */
	if (s->tx.dot_deadline_ms != 0 && s->tx.dot_deadline_ms < end)
		end = s->tx.dot_deadline_ms;
	if (io_wait(s->in.fd, POLLRDHUP, end) == 0)
		session_vanish(s);
}
