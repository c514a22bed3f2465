/*
 * Sessions (RFC 5321 section 3): what happens once for a connection, and
 * what once for a message.
 */
#include "remote/session.h"

#include "base/error.h"
#include "spool/tcpto.h"

#include "base/clock.h"

void
session_init(struct session *s)
{
	s->is_open = false;
	s->key = (struct buf)BUF_LIMIT(SESSION_KEY_MAX);
	s->messages = 0;
}

static int
report_greeting(
    struct report *report, const struct peer *peer, enum peer_result result)
{
	switch (result) {
	case PEER_READY:
		return 0;
	case PEER_DIED:
	case PEER_DIED_AT_EHLO:
		report_set(report, 'Z',
		    "Connected to %s but connection died. (#4.4.2)", peer->ip);
		break;
	case PEER_NO_GREETING:
		report_set(report, 'Z', "Connected to %s but greeting failed.",
		    peer->ip);
		break;
	case PEER_NAME_REJECTED:
		report_set(report, 'Z',
		    "Connected to %s but my name was rejected.", peer->ip);
		break;
	}
	report_add_said(&report->text, buf_view(&peer->said));
	return QE_EOF;
}

/* One connection; *result tells how its greeting went. */
static int
try_greeting(struct session *s, const struct peer_settings *settings,
    const struct target *target, bool only_helo, enum peer_result *result)
{
	int r = peer_connect(&s->peer, settings, target);

	if (r == QE_TIMEOUT)
		tcpto_note_timeout(&target->ip, clock_wall());
	if (r < 0)
		return r;
	tcpto_note_success(&target->ip);
	*result = peer_greet(&s->peer, only_helo);
	return 0;
}

int
session_open(struct session *s, const struct peer_settings *settings,
    const struct target *target, struct strv key, struct report *report)
{
	enum peer_result result;
	int r = try_greeting(s, settings, target, false, &result);

	/* Very old servers hang up on a command they do not know. */
	if (r == 0 && result == PEER_DIED_AT_EHLO) {
		peer_close(&s->peer);
		r = try_greeting(s, settings, target, true, &result);
	}
	if (r < 0)
		return r;
	r = report_greeting(report, &s->peer, result);
	if (r < 0) {
		peer_close(&s->peer);
		return r;
	}
	s->is_open = true;
	s->messages = 0;
	buf_reset(&s->key);
	buf_add_view(&s->key, key);
	return 0;
}

bool
session_fits(const struct session *s, struct strv key)
{
	return session_is_usable(s) && s->key.err == 0 &&
	       strv_eq(buf_view(&s->key), key);
}

enum verdict
session_send(struct session *s, struct message *message, struct strv sender,
    struct report *report)
{
	struct transfer t = { .peer = &s->peer,
		.message = message,
		.report = report,
		.sender = sender };

	s->messages++;
	return transfer_run(&t);
}

bool
session_is_usable(const struct session *s)
{
	return s->is_open && !s->peer.broken &&
	       s->messages < SESSION_MESSAGES_MAX && !peer_is_over(&s->peer);
}

struct strv
session_exchanger(const struct session *s)
{
	return s->is_open ? strv_of(s->peer.ip) : STRV_EMPTY;
}

void
session_close(struct session *s)
{
	if (s->is_open)
		peer_close(&s->peer);
	s->is_open = false;
	buf_free(&s->key);
}
