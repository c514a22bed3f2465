/*
 * The connection: who the peer is, reading commands and saying replies.
 *
 * Replies are collected and leave in one write, just before the first read
 * that could block (RFC 2920 section 3.2), or when there is no room left.
 */
#include "smtpd/session.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/error.h"
#include "smtp/line.h"
#include "smtpd/auth.h"
#include "smtpd/fingerprint.h"
#include "smtpd/log.h"
#include "smtpd/plugins.h"
#include "smtpd/trust.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct strv
environment(const char *name)
{
	return strv_of(env_get(name));
}

void
session_read_peer(struct session *s)
{
	s->peer = (struct peer){
		.remote_ip = environment("TCPREMOTEIP"),
		.remote_host = environment("TCPREMOTEHOST"),
		.remote_info = environment("TCPREMOTEINFO"),
		.local_ip = environment("TCPLOCALIP"),
		.local_host = environment("TCPLOCALHOST"),
	};
}

void
session_read_relay(struct session *s)
{
	const char *relay = env_get("RELAYCLIENT");

	s->relay = relay != NULL;
	/* Operators set it to one blank to say "yes, and append nothing". */
	s->relay_suffix = strv_of(relay);
	if (strv_trim_blanks(s->relay_suffix).len == 0)
		s->relay_suffix = STRV_EMPTY;
}

void
session_init(struct session *s, int in_fd, int out_fd)
{
	s->state = SESSION_OPEN;
	session_read_peer(s);
	session_read_relay(s);
	s->spam_to = s->fixed_to = STRV_EMPTY;
	ucspi_tls_init(&s->tls);
	s->settings.log.fd = STDERR_FILENO;
	s->line = (struct buf)BUF_IN(s->line_data, 0);
	s->scratch = (struct buf)BUF_IN(s->scratch_data, 0);
	s->helo = (struct buf)BUF_IN(s->helo_data, 0);
	transaction_init(&s->tx);
	notes_init(&s->notes);
	source_init(&s->in, in_fd, s->in_data, sizeof(s->in_data));
	sink_init(&s->out, out_fd, s->out_data, sizeof(s->out_data));
	s->deadline_ms = clock_deadline(SESSION_SECONDS_MAX);
	s->out.end_ms = s->deadline_ms;
}

void
session_apply_settings(struct session *s)
{
	s->line.max = s->helo.max = (size_t)s->settings.command_max;
	s->out.timeout_ms = s->settings.timeout * 1000;
	io_limit_writes(s->out.fd, s->settings.timeout);
}

void
session_free(struct session *s)
{
	auth_free(s);
	transaction_free(&s->tx);
	notes_free(&s->notes);
	plugins_free(&s->plugins);
	fingerprint_free(&s->fingerprint);
	settings_free(&s->settings);
	buf_free(&s->helo);
	buf_free(&s->os);
	buf_free(&s->line);
	buf_free(&s->scratch);
}

void
session_restart(struct session *s)
{
	transaction_reset(&s->tx);
	notes_reset(&s->notes);
	plugins_restart(s);
	buf_reset(&s->helo);
	s->extended = false;
	auth_forget(s);
}

int64_t
session_deadline(const struct session *s, int64_t seconds)
{
	int64_t deadline = clock_deadline(seconds);

	return deadline < s->deadline_ms ? deadline : s->deadline_ms;
}

int
session_read_command(struct session *s, unsigned *flaws)
{
	if (strv_find(source_peek(&s->in), '\n') == STRV_NPOS)
		session_flush(s);
	if (s->state != SESSION_OPEN)
		return QE_EOF;
	/* Input that is always there already would never time out. */
	if (clock_mono_ms() >= s->deadline_ms)
		return QE_TIMEOUT;
	return line_read(
	    &s->in, session_deadline(s, s->settings.timeout), &s->line, flaws);
}

void
session_flush(struct session *s)
{
	if (sink_flush(&s->out) != 0)
		s->state = SESSION_GONE;
}

/* Sends what stands in scratch, and logs it. */
static void
say_scratch(struct session *s)
{
	log_server(s, buf_view(&s->scratch));
	/* Half a line is worse than none. */
	if (s->scratch.err != 0 ||
	    sink_put_view(&s->out, buf_view(&s->scratch)) != 0)
		s->state = SESSION_GONE;
}

void
session_say(struct session *s, const struct reply *reply)
{
	if (reply->code == 0 || s->state == SESSION_GONE)
		return;
	buf_reset(&s->scratch);
	reply_add(&s->scratch, reply);
	say_scratch(s);
	if (reply->close && s->state == SESSION_OPEN)
		s->state = SESSION_CLOSED;
}

void
session_say_line(struct session *s, int code, struct strv text, bool last)
{
	if (s->state == SESSION_GONE)
		return;
	buf_reset(&s->scratch);
	reply_add_line(&s->scratch, code, text, last);
	say_scratch(s);
}

void
session_greet(struct session *s)
{
	struct strv rest = buf_view(&s->settings.greeting);
	bool more = true;

	while (more) {
		struct strv line = strv_cut(&rest, '\n', &more);

		session_say_line(s, 220, strv_trim_end(line), !more);
	}
}

struct reply
session_farewell(int code, const char *enhanced, const char *text)
{
	struct reply reply = reply_make(code, enhanced, text);

	reply.close = true;
	return reply;
}

void
session_vanish(struct session *s)
{
	s->state = SESSION_GONE;
	if (s->settings.log.in || s->settings.log.out)
		log_event(s, "ERROR: eof from client - SPAMMER?");
}

struct reply
session_lost(struct session *s, int result)
{
	if (result == QE_TIMEOUT)
		return session_farewell(451, "4.4.2", "timeout");
	if (result == QE_NOMEM || result == QE_LIMIT)
		return session_farewell(421, "4.3.0", "out of memory");
	session_vanish(s);
	return (struct reply){ .code = 0 };
}

void
session_finish(struct session *s)
{
	int64_t deadline = clock_mono_ms() + SESSION_LINGER_MS;
	size_t taken = 0;

	if (s->state == SESSION_GONE || sink_flush(&s->out) != 0)
		return;
	ucspi_tls_finish(&s->tls, s->out.fd);
	if (s->state != SESSION_CLOSED)
		return;
	/* Unread input would turn our close into a reset, which may overtake
	 * the reply: read on until the client has seen the end. */
	if (shutdown(s->out.fd, SHUT_WR) != 0)
		return;
	while (taken < SESSION_LINGER_BYTES) {
		taken += source_peek(&s->in).len;
		source_discard(&s->in);
		if (source_fill(&s->in, deadline) != 0)
			return;
	}
}

bool
session_is_abandoned(const struct session *s)
{
	struct pollfd p = { .fd = s->in.fd, .events = POLLIN };
	char byte;
	ssize_t got;

	if (source_peek(&s->in).len > 0)
		return false;
	got = recv(s->in.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (got >= 0)
		return got == 0;
	if (errno != ENOTSOCK)
		return errno != EAGAIN && errno != EWOULDBLOCK &&
		       errno != EINTR;
	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN) == 0;
}

int64_t
session_size_max(const struct session *s)
{
	return trust_is_spammer(s) ? s->spam_size_max : s->settings.size_max;
}

struct strv
session_protocol(const struct session *s)
{
	static const char *const extended[2][2] = {
		{"ESMTP",   "ESMTPA" },
                { "ESMTPS", "ESMTPSA"}
	};

	if (!s->extended)
		return STRV("SMTP");
	return strv_of(extended[ucspi_tls_is_on(&s->tls)][auth_is_done(s)]);
}

struct strv
session_tls_comment(struct session *s)
{
	const struct tls_facts *facts = &s->tls.facts;

	buf_reset(&s->line);
	if (ucspi_tls_is_on(&s->tls))
		buf_addf(&s->line, "%s %s", facts->protocol, facts->cipher);
	return strv_trim_blanks(buf_view(&s->line));
}
