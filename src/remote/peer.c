/*
 * One SMTP connection as a client.  Whatever the peer sends or does not send,
 * each call here comes back in bounded time with a code.
 */
#include "remote/peer.h"

#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/log.h"
#include "smtp/reply.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static int64_t
deadline(const struct peer *s)
{
	int64_t d = clock_mono_ms() + s->settings->remote_ms;

	return d < s->end_ms ? d : s->end_ms;
}

void
peer_log(const struct peer *s, const char *prefix, struct strv text)
{
	struct buf line = BUF_LIMIT(2 * LOG_LINE_MAX);
	int fd = s->settings->log_fd;

	while (fd != 0 && text.len > 0) {
		buf_reset(&line);
		buf_add_str(&line, prefix);
		buf_add_view(&line,
		    strv_head(strv_cut(&text, '\n', NULL), LOG_LINE_MAX));
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		if (line.err == 0)
			log_line(fd, die_name(), buf_view(&line));
	}
	buf_free(&line);
}

int
peer_connect(struct peer *s, const struct peer_settings *settings,
    const struct target *target, const struct ipaddr *from)
{
	int64_t now = clock_mono_ms();
	int r;

	s->settings = settings;
	s->target = *target;
	ipaddr_format(&target->ip, s->ip);
	s->end_ms = now + INT64_C(1000) * PEER_SECONDS_MAX;
	s->broken = false;
	s->half_done = false;
	s->endless = false;
	s->has_tls = false;
	s->silent = false;
	s->out = (struct buf)BUF_LIMIT(PEER_WRITE_MAX);
	s->said = (struct buf)BUF_LIMIT(REPLY_READ_MAX);
	ehlo_init(&s->offer);
	s->code = 0;
	r = net_connect(&target->ip, target->port, from,
	    now + settings->connect_ms, &s->fd);
	if (r < 0)
		return r;
	source_init(&s->in, s->fd, s->in_data, sizeof(s->in_data));
	return 0;
}

int
peer_flush(struct peer *s)
{
	struct sink sink;
	int r = s->out.err;

	/* Without a buffer of its own it writes ours as it is. */
	sink_init(&sink, s->fd, NULL, 0);
	sink.timeout_ms = s->settings->remote_ms;
	sink.end_ms = s->end_ms;
	if (!s->silent)
		peer_log(s, "C: ", buf_view(&s->out));
	if (r == 0 && s->out.len > 0)
		r = sink_put_view(&sink, buf_view(&s->out));
	buf_reset(&s->out);
	if (r < 0)
		s->broken = true;
	return r;
}

int
peer_reply(struct peer *s)
{
	int r;

	s->code = 0;
	r = reply_read(&s->in, deadline(s), &s->code, &s->said);
	s->endless = r == QE_LIMIT;
	if (s->endless)
		r = QE_EOF; /* of no use any more, as if it had hung up */
	if (r < 0)
		s->broken = true;
	if (!s->silent)
		peer_log(s, "S: ", buf_view(&s->said));
	return r;
}

void
peer_report_death(const struct peer *s, const char *more, struct report *report)
{
	if (s->endless)
		report_set(report, 'Z',
		    "Connected to %s but a reply had more than %d lines or %d "
		    "bytes. %s(#4.5.0)",
		    s->ip, REPLY_LINES_MAX, REPLY_BYTES_MAX, more);
	else
		report_set(report, 'Z',
		    "Connected to %s but connection died. %s(#4.4.2)", s->ip,
		    more);
}

int
peer_ask(struct peer *s, const char *command)
{
	int r;

	buf_add_str(&s->out, command);
	buf_add_str(&s->out, "\r\n");
	r = peer_flush(s);
	return r < 0 ? r : peer_reply(s);
}

static int
say_hello(struct peer *s, const char *verb)
{
	int r;

	buf_add_str(&s->out, verb);
	buf_add_char(&s->out, ' ');
	buf_add_view(&s->out, s->settings->helohost);
	buf_add_str(&s->out, "\r\n");
	r = peer_flush(s);
	return r < 0 ? r : peer_reply(s);
}

/* A reply that does not parse is a refusal; no reply is a death. */
static enum peer_result
judge_hello(const struct peer *s, int r, enum peer_result dead)
{
	if (r == QE_TIMEOUT || s->endless)
		return PEER_DIED; /* a second try would fare no better */
	if (r < 0 && r != QE_SYNTAX)
		return dead;
	return r == 0 && s->code == 250 ? PEER_READY : PEER_NAME_REJECTED;
}

enum peer_result
peer_greet(struct peer *s, bool only_helo)
{
	enum peer_result result;
	int r = peer_reply(s);

	if (r < 0 && r != QE_SYNTAX)
		return PEER_DIED;
	if (r < 0 || s->code != 220)
		return PEER_NO_GREETING;
	if (!only_helo) {
		r = say_hello(s, "EHLO");
		result = judge_hello(s, r, PEER_DIED_AT_EHLO);
		if (result == PEER_READY)
			ehlo_parse(&s->offer, buf_view(&s->said));
		if (r < 0 || s->code < 500)
			return result;
	}
	r = say_hello(s, "HELO");
	return judge_hello(s, r, PEER_DIED);
}

enum peer_result
peer_greet_again(struct peer *s)
{
	enum peer_result result;

	ehlo_reset(&s->offer);
	result = judge_hello(s, say_hello(s, "EHLO"), PEER_DIED);
	if (result == PEER_READY)
		ehlo_parse(&s->offer, buf_view(&s->said));
	return result;
}

int
peer_start_tls(struct peer *s, const struct tls_client_request *request)
{
	int r = tls_client_start(s->fd, request, &s->tls);

	io_close(&s->fd);
	if (r == 0)
		r = io_set_nonblocking(s->tls.fd, true);
	if (r < 0) {
		s->broken = true;
		return r;
	}
	s->has_tls = true;
	s->fd = s->tls.fd;
	source_init(&s->in, s->fd, s->in_data, sizeof(s->in_data));
	return 0;
}

bool
peer_is_over(const struct peer *s)
{
	char byte;

	if (clock_mono_ms() >= s->end_ms || source_peek(&s->in).len > 0)
		return true;
	return recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != EINTR);
}

void
peer_close(struct peer *s)
{
	static const char quit[] = "QUIT\r\n";

	if (!s->broken && s->fd >= 0 &&
	    send(s->fd, quit, sizeof(quit) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) <
		0)
		s->broken = true;
	if (s->has_tls) {
		s->fd = -1;
		tls_client_end(&s->tls);
	}
	s->has_tls = false;
	io_close(&s->fd);
	ehlo_free(&s->offer);
	buf_free(&s->out);
	buf_free(&s->said);
}
