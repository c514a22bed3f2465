/*
 * STARTTLS (RFC 3207) and implicit TLS.  The process in front does the
 * handshake; what the client said before it is forgotten, because anybody on
 * the wire could have said it.
 */
#include "base/error.h"
#include "smtpd/commands.h"
#include "smtpd/log.h"

/* With the reply that makes the client begin, if one is due. */
static int
start(struct session *s, struct strv ready)
{
	int r = ucspi_tls_start(&s->tls, ready, &s->in, &s->out,
	    session_deadline(s, UCSPI_TLS_SECONDS));

	if (r == 0 && s->settings.log.in)
		log_event(s, "TLS: %s %s", s->tls.facts.protocol,
		    s->tls.facts.cipher);
	return r;
}

/* Nothing can be said any more: the client expects a handshake. */
static void
give_up(struct session *s, int result)
{
	s->state = SESSION_GONE;
	/* The front has told why it failed, if it knows. */
	if (result != QE_EOF)
		log_event(s, "ERROR: no TLS: %s", error_result_text(result));
}

bool
session_start_implicit_tls(struct session *s)
{
	int r = s->tls.state == TLS_IMPLICIT ? start(s, STRV("")) : 0;

	if (r != 0)
		give_up(s, r);
	return r == 0;
}

struct reply
command_starttls(struct session *s, struct strv argument)
{
	const struct reply ready =
	    reply_make(220, "2.0.0", "ready to start TLS");
	int r;

	if (ucspi_tls_is_on(&s->tls))
		return reply_make(503, "5.5.1", "TLS is on already");
	if (!ucspi_tls_may_start(&s->tls))
		return ucspi_tls_is_required(&s->tls)
			   ? reply_make(454, "4.7.0", "TLS is not available")
			   : reply_make(502, "5.5.1", "unimplemented");
	if (argument.len > 0)
		return reply_make(501, "5.5.4", "no parameters allowed");
	session_flush(s);
	if (s->state != SESSION_OPEN)
		return (struct reply){ .code = 0 };
	buf_reset(&s->scratch);
	reply_add(&s->scratch, &ready);
	r = start(s, buf_view(&s->scratch));
	if (r == QE_ABSENT)
		return reply_make(454, "4.7.0", "TLS is not available");
	log_server(s, buf_view(&s->scratch));
	if (r != 0) {
		give_up(s, r);
	} else {
		session_apply_settings(s);
		session_restart(s);
	}
	return (struct reply){ .code = 0 };
}
