/*
 * The command AUTH (RFC 4954): challenges out, responses in, and the checker
 * of the command line asked.  Nothing of it reaches a log, and all that the
 * client sent is wiped behind it.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/spawn.h"
#include "smtp/line.h"
#include "smtp/sasl_check.h"
#include "smtpd/auth.h"
#include "smtpd/commands.h"
#include "smtpd/log.h"
#include "smtpd/plugins.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

static void
wipe_input(struct session *s)
{
	source_wipe(&s->in);
	if (s->line.data != NULL)
		explicit_bzero(s->line.data, s->line.cap);
	if (s->auth->line.data != NULL)
		explicit_bzero(s->auth->line.data, s->auth->line.cap);
}

/*
 * Says the challenge and reads the response into s->auth->line.  A code of 0,
 * or what to say instead of going on.
 */
static struct reply
ask_client(struct session *s, const struct buf *challenge)
{
	unsigned flaws = 0;
	int r;

	session_say_line(s, 334, buf_view(challenge), true);
	session_flush(s);
	if (s->state != SESSION_OPEN)
		return session_lost(s, QE_EOF);
	r = line_read(&s->in, session_deadline(s, s->settings.timeout),
	    &s->auth->line, &flaws);
	if (r != 0)
		return session_lost(s, r);
	log_client(s, STRV("[...]"));
	if ((flaws & ~(unsigned)LINE_TOO_LONG) != 0)
		return refuse_flaws(flaws);
	if (flaws != 0)
		return reply_make(
		    500, "5.5.6", "authentication exchange line is too long");
	return (struct reply){ .code = 0 };
}

static enum sasl_result
ask_checker(struct session *s, struct sasl *x, struct buf *challenge)
{
	struct sasl_checker how = {
		.argv = s->auth->checker,
		.fds = {SPAWN_FD_NULL, SPAWN_FD_NULL, STDERR_FILENO},
		.deadline_ms = session_deadline(s, s->auth->seconds)
	};
	enum sasl_result result = sasl_check(x, &how, challenge);

	if (how.trouble != NULL)
		log_event(s, "AUTH: %s: %s", how.argv[0], how.trouble);
	return result;
}

/*
 * The whole exchange.  SASL_CONTINUE never comes back, unless *stop says why
 * it broke off.
 */
static enum sasl_result
converse(struct session *s, struct sasl *x, const struct sasl_mechanism *m,
    struct strv initial, struct reply *stop)
{
	struct buf challenge = BUF_LIMIT(SASL_CHALLENGE_MAX);
	enum sasl_result result = sasl_begin(x, m, initial, &challenge);

	while (result == SASL_CONTINUE || result == SASL_CHECK) {
		if (result == SASL_CHECK) {
			result = ask_checker(s, x, &challenge);
			continue;
		}
		*stop = ask_client(s, &challenge);
		if (stop->code != 0 || s->state != SESSION_OPEN)
			break;
		result = sasl_step(x, buf_view(&s->auth->line), &challenge);
	}
	buf_free(&challenge);
	return result;
}

/* A wrong password is answered late; a client that hangs up ends the wait. */
static void
delay(struct session *s)
{
	session_flush(s);
	if (s->state != SESSION_OPEN || s->auth->delay == 0)
		return;
	if (io_wait(s->in.fd, POLLRDHUP, session_deadline(s, s->auth->delay)) ==
	    0)
		session_vanish(s);
}

static struct reply
accept_client(struct session *s, const struct sasl *x)
{
	struct plugins_verdict plugins;

	if (auth_succeed(s, x) != 0)
		return reply_make(454, "4.7.0", "out of memory");
	plugins = plugins_run(s, PLUGIN_AUTH);
	if (plugins.kind == PLUGINS_ANSWER) {
		auth_forget(s);
		return plugins.reply;
	}
	log_event(s, "AUTH: " STRV_FMT " from " STRV_FMT " by %s",
	    STRV_ARG(auth_user(s)), STRV_ARG(s->peer.remote_ip),
	    x->mechanism->name);
	return reply_make(235, "2.7.0", "ok, go ahead");
}

/*
 * The name that was given is not logged with a failure: people type their
 * password there.
 */
static struct reply
refuse_client(struct session *s, const struct sasl_mechanism *m)
{
	log_event(s, "AUTH: refused " STRV_FMT " by %s",
	    STRV_ARG(s->peer.remote_ip), m->name);
	delay(s);
	return reply_make(535, "5.7.8", "authentication failed");
}

static struct reply
answer(struct session *s, const struct sasl *x, enum sasl_result result)
{
	switch (result) {
	case SASL_DONE:
		return accept_client(s, x);
	case SASL_CANCELLED:
		return reply_make(501, "5.7.0", "authentication cancelled");
	case SASL_MALFORMED:
		return reply_make(
		    501, "5.5.2", "malformed authentication response");
	case SASL_REFUSED:
		return refuse_client(s, x->mechanism);
	case SASL_FAILED:
	case SASL_CHECK:
	case SASL_CONTINUE:
		break;
	}
	return reply_make(454, "4.7.0",
	    "unable to authenticate for now, please try again later");
}

static struct reply
exchange(struct session *s, const struct sasl_mechanism *m, struct strv initial)
{
	struct buf host = BUF_LIMIT(SASL_HOST_MAX);
	struct control_error err;
	struct reply reply = { .code = 0 };
	enum sasl_result result;
	struct sasl x;

	if (m->names_host)
		(void)control_line(CTL_ME, &host, &err);
	sasl_init(&x, "smtp", buf_view(&host));
	result = converse(s, &x, m, initial, &reply);
	if (reply.code == 0 && s->state == SESSION_OPEN)
		reply = answer(s, &x, result);
	sasl_free(&x);
	buf_free(&host);
	/* Guessing ends, and so does whatever else makes us ask. */
	if (result != SASL_DONE && result != SASL_CANCELLED &&
	    ++s->auth->failures >= AUTH_FAILURES_MAX)
		reply.close = true;
	return reply;
}

struct reply
command_auth(struct session *s, struct strv argument)
{
	struct strv initial = argument;
	struct strv name = strv_cut(&initial, ' ', NULL);
	const struct sasl_mechanism *m = sasl_find(name, auth_allowed(s));
	struct reply reply;

	if (s->auth == NULL)
		return reply_make(502, "5.5.1", "unimplemented");
	if (!s->extended)
		return reply_make(503, "5.5.1", "EHLO first");
	if (auth_is_done(s))
		return reply_make(
		    503, "5.5.1", "you are authenticated already");
	if (s->tx.open)
		return reply_make(
		    503, "5.5.1", "no authentication within a transaction");
	if (name.len == 0)
		return reply_make(501, "5.5.4", "which mechanism?");
	if (m == NULL)
		return reply_make(
		    504, "5.5.4", "authentication mechanism not available");
	reply = exchange(s, m, strv_trim_blanks(initial));
	wipe_input(s);
	return reply;
}
