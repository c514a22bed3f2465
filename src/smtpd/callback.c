/*
 * The conversation of a callback.  The other side is a stranger whom another
 * stranger has named: all it says is bounded in size and time, and nothing
 * but a reply of 500 and more to RCPT counts against anybody.
 */
#include "smtpd/callback.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "mail/address.h"
#include "smtp/reply.h"

#include <sys/socket.h>

enum { CALLBACK_BUFFER = 1024, COMMAND_MAX = 4096, REPLY_KEPT = 5000 };

struct talk {
	int fd;
	int64_t deadline_ms;
	struct source in;
	char in_data[CALLBACK_BUFFER];
	struct buf line; /* command under way */
	struct buf said; /* the last reply */
	int code;        /* its code; 0: there was none */
};

bool
callback_is_askable(struct strv address)
{
	for (size_t i = 0; i < address.len; i++) {
		unsigned char c = (unsigned char)address.ptr[i];

		if (c < ' ' || c >= 127)
			return false;
	}
	return address.len > 0;
}

static bool
hear(struct talk *t)
{
	t->code = 0;
	return reply_read(&t->in, t->deadline_ms, &t->code, &t->said) == 0;
}

/* The command in t->line and its reply; false if there is none. */
static bool
say(struct talk *t)
{
	struct sink sink;
	int r = t->line.err;

	buf_add_str(&t->line, "\r\n");
	sink_init(&sink, t->fd, NULL, 0);
	sink.timeout_ms = t->deadline_ms - clock_mono_ms();
	if (t->line.err != 0 || sink.timeout_ms <= 0)
		return false;
	r = sink_put_view(&sink, buf_view(&t->line));
	buf_reset(&t->line);
	return r == 0 && hear(t);
}

static bool
is_good(const struct talk *t)
{
	return t->code >= 200 && t->code < 300;
}

/* Whole lines of the reply, as many as the limits allow. */
static void
keep_said(const struct talk *t, struct buf *out)
{
	struct strv rest = buf_view(&t->said);

	for (int i = 0; i < CALLBACK_LINES_MAX && rest.len > 0; i++) {
		struct strv line = strv_cut(&rest, '\n', NULL);

		if (out->len + line.len + 1 > CALLBACK_SAID_MAX)
			return;
		buf_add_view(out, line);
		buf_add_char(out, '\n');
	}
}

/* After the greeting: as far as the reply to RCPT. */
static enum callback_result
ask(struct talk *t, struct strv helo, struct strv address, struct buf *said)
{
	buf_addf(&t->line, "HELO " STRV_FMT, STRV_ARG(helo));
	if (!say(t) || !is_good(t))
		return CALLBACK_DEAD;
	buf_add_str(&t->line, "MAIL FROM:<>");
	if (!say(t))
		return CALLBACK_DEAD;
	if (!is_good(t))
		return CALLBACK_UNDECIDED;
	buf_add_str(&t->line, "RCPT TO:<");
	address_add_quoted(&t->line, address);
	buf_add_char(&t->line, '>');
	if (!say(t))
		return CALLBACK_DEAD;
	keep_said(t, said);
	if (is_good(t))
		return CALLBACK_ACCEPTED;
	return t->code >= 500 ? CALLBACK_REFUSED : CALLBACK_UNDECIDED;
}

/* Nobody waits for the answer. */
static void
quit(struct talk *t)
{
	static const char text[] = "QUIT\r\n";

	if (t->code != 0)
		(void)send(
		    t->fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
callback_ask(const struct ipaddr *ip, struct strv helo, struct strv address,
    int64_t deadline_ms, struct callback_outcome *outcome)
{
	struct talk t = { .deadline_ms = deadline_ms,
		.line = BUF_LIMIT(COMMAND_MAX),
		.said = BUF_LIMIT(REPLY_KEPT) };

	buf_reset(&outcome->said);
	outcome->result = CALLBACK_DEAD;
	if (net_connect(ip, CALLBACK_PORT, NULL, deadline_ms, &t.fd) != 0)
		return;
	source_init(&t.in, t.fd, t.in_data, sizeof(t.in_data));
	if (hear(&t) && is_good(&t))
		outcome->result = ask(&t, helo, address, &outcome->said);
	quit(&t);
	io_close(&t.fd);
	buf_free(&t.line);
	buf_free(&t.said);
}
