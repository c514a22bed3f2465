/*
 * STARTTLS (RFC 3207) and implicit TLS.  The process in front does the
 * handshake; what the client said before it is forgotten, because anybody on
 * the wire could have said it.
 */
#include "base/error.h"
#include "smtpd/commands.h"
#include "smtpd/log.h"

/* Nothing can be said any more: the client expects a handshake. */
static bool
start(struct session *s)
{
	int r = ucspi_tls_start(
	    &s->tls, &s->in, &s->out, session_deadline(s, UCSPI_TLS_SECONDS));

	if (r != 0) {
		s->state = SESSION_GONE;
		/* The front has told why it failed, if it knows. */
		if (r != QE_EOF)
			log_event(s, "ERROR: no TLS: %s", error_result_text(r));
		return false;
	}
	if (s->settings.log.in)
		log_event(s, "TLS: %s %s", s->tls.facts.protocol,
		    s->tls.facts.cipher);
	return true;
}

bool
session_start_implicit_tls(struct session *s)
{
	return s->tls.state != TLS_IMPLICIT || start(s);
}

struct reply
command_starttls(struct session *s, struct strv argument)
{
	const struct reply ready =
	    reply_make(220, "2.0.0", "ready to start TLS");

	if (ucspi_tls_is_on(&s->tls))
		return reply_make(503, "5.5.1", "TLS is on already");
	if (!ucspi_tls_may_start(&s->tls))
		return ucspi_tls_is_required(&s->tls)
			   ? reply_make(454, "4.7.0", "TLS is not available")
			   : reply_make(502, "5.5.1", "unimplemented");
	if (argument.len > 0)
		return reply_make(501, "5.5.4", "no parameters allowed");
	if (ucspi_tls_prepare(&s->tls, s->in.fd, s->out.fd) != 0)
		return reply_make(454, "4.7.0", "TLS is not available");
	session_say(s, &ready);
	session_flush(s);
	if (s->state == SESSION_OPEN && start(s)) {
		session_apply_settings(s);
		session_restart(s);
	}
	return (struct reply){ .code = 0 };
}
