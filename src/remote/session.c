/*
 * Sessions (RFC 5321 section 3): what happens once for a connection, and
 * what once for a message.
 *
 * A server whose TLS does not work gets its mail in clear text, over a new
 * connection, only where control/tlsremote says "may" and nothing else asks
 * for more.
 */
#include "remote/session.h"

#include "base/clock.h"
#include "base/error.h"
#include "remote/auth.h"
#include "remote/qmtp.h"
#include "remote/starttls.h"
#include "spool/tcpto.h"

#include <unistd.h>

void
session_init(struct session *s)
{
	s->is_open = false;
	s->key = (struct buf)BUF_LIMIT(SESSION_KEY_MAX);
	s->exchanger = (struct buf)BUF_LIMIT(DNS_NAME_MAX);
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
		peer_report_death(peer, "", report);
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

static int
connect_to(struct session *s, const struct session_wish *wish)
{
	const struct ipaddr *ip = &wish->target->ip;
	const struct ipaddr *from =
	    ip->family == AF_INET ? &wish->plan->from4 : &wish->plan->from6;
	int r;

	if (from->family == 0 || ipaddr_is_any(from))
		from = NULL;
	r = peer_connect(&s->peer, wish->settings, wish->target, from);
	if (r == QE_TIMEOUT)
		tcpto_note_timeout(ip, clock_wall());
	if (r != 0)
		return r;
	tcpto_note_success(ip);
	if (wish->settings->connected != NULL)
		wish->settings->connected(
		    wish->settings->context, wish->target->name);
	return 0;
}

/* One connection as far as the answer to EHLO or HELO. */
static int
greet(struct session *s, const struct session_wish *wish, bool only_helo,
    struct report *report, enum peer_result *result)
{
	int r = connect_to(s, wish);

	*result = PEER_READY;
	if (r == 0 && wish->plan->port == PLAN_SMTPS_PORT) {
		r = starttls_at_once(&s->peer, wish->want, report);
		if (r < 0)
			peer_close(&s->peer);
	}
	if (r == 0)
		*result = peer_greet(&s->peer, only_helo);
	return r;
}

static int
greet_somehow(
    struct session *s, const struct session_wish *wish, struct report *report)
{
	enum peer_result result;
	int r = greet(s, wish, false, report, &result);

	/* Very old servers hang up on a command they do not know. */
	if (r == 0 && result == PEER_DIED_AT_EHLO) {
		peer_close(&s->peer);
		r = greet(s, wish, true, report, &result);
	}
	if (r < 0)
		return r;
	r = report_greeting(report, &s->peer, result);
	if (r < 0)
		peer_close(&s->peer);
	return r;
}

/* TLS and AUTH, on a session that has been greeted. */
static int
open_smtp(
    struct session *s, const struct session_wish *wish, struct report *report)
{
	int r = greet_somehow(s, wish, report);

	if (r < 0)
		return r;
	if (!s->peer.has_tls) {
		r = starttls_run(&s->peer, wish->want, report);
		if (r == QE_TEMP) {
			/* Broken, noted, and clear text is good enough. */
			peer_close(&s->peer);
			r = greet_somehow(s, wish, report);
			if (r < 0)
				return r;
		}
	}
	if (r == 0 && wish->plan->user.len > 0)
		r = auth_run(&s->peer, wish->plan, report);
	if (r < 0)
		peer_close(&s->peer);
	return r < 0 ? QE_EOF : 0;
}

int
session_open(
    struct session *s, const struct session_wish *wish, struct report *report)
{
	int r;

	if (tcpto_should_skip(&wish->target->ip, clock_wall(), getpid()))
		return QE_TIMEOUT;
	s->protocol = wish->plan->protocol;
	r = s->protocol == PLAN_QMTP ? connect_to(s, wish)
				     : open_smtp(s, wish, report);
	if (r < 0)
		return r;
	s->is_open = true;
	s->messages = 0;
	buf_reset(&s->key);
	buf_add_view(&s->key, wish->key);
	buf_reset(&s->exchanger);
	buf_add_lower(&s->exchanger, wish->target->name);
	return 0;
}

bool
session_fits(const struct session *s, struct strv key)
{
	return session_is_usable(s) && s->key.err == 0 &&
	       strv_eq(buf_view(&s->key), key);
}

/* What the wire was like, in the delivery log and in bounces. */
static void
report_tls(const struct peer *peer, struct report *report)
{
	if (report->letter == 0 || !peer->has_tls)
		return;
	buf_addf(&report->text, "Encrypted with %s, %s, certificate %s.\n",
	    peer->tls.facts.protocol, peer->tls.facts.cipher,
	    peer->tls.verified ? "verified" : "not verified");
}

enum verdict
session_send(struct session *s, struct message *message, struct strv sender,
    struct report *report)
{
	struct transfer t = { .peer = &s->peer,
		.message = message,
		.report = report,
		.sender = sender };
	enum verdict verdict;

	s->messages++;
	if (s->protocol == PLAN_QMTP)
		return qmtp_run(&t);
	verdict = transfer_run(&t);
	report_tls(&s->peer, report);
	return verdict;
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
	return s->is_open ? buf_view(&s->exchanger) : STRV_EMPTY;
}

void
session_close(struct session *s)
{
	/* QMTP knows no farewell. */
	if (s->is_open && s->protocol == PLAN_QMTP)
		s->peer.broken = true;
	if (s->is_open)
		peer_close(&s->peer);
	s->is_open = false;
	buf_free(&s->key);
	buf_free(&s->exchanger);
}
