/*
 * Commands and replies of POP3, with the limits that hold whatever a client
 * sends: a deadline per line and per write, an end of the session, a largest
 * line, and an amount of nonsense.  Never looks into mail.
 */
#include "pop3/conn.h"
#include "base/clock.h"
#include "base/error.h"
#include "smtp/line.h"

#include <string.h>

void
pop3_conn_init(struct pop3_conn *c, char *in, size_t in_size, char *out,
    size_t out_size, int64_t session_seconds)
{
	*c = (struct pop3_conn){ .line = BUF_LIMIT(POP3_LINE_MAX),
		.end_ms = clock_deadline(session_seconds) };
	source_init(&c->in, 0, in, in_size);
	sink_init(&c->out, 1, out, out_size);
	c->out.end_ms = c->end_ms;
	pop3_conn_set_idle(c, POP3_IDLE);
	/* At once and for good: a buffer that moves leaves copies behind. */
	buf_reserve(&c->line, POP3_LINE_MAX);
}

void
pop3_conn_set_idle(struct pop3_conn *c, int64_t seconds)
{
	c->idle_seconds = seconds;
	c->out.timeout_ms = seconds * 1000;
}

void
pop3_conn_forget(struct pop3_conn *c)
{
	explicit_bzero(c->in.data, c->in.cap);
	if (c->line.data != NULL)
		explicit_bzero(c->line.data, c->line.cap);
	buf_reset(&c->line);
}

void
pop3_conn_free(struct pop3_conn *c)
{
	explicit_bzero(c->in.data, c->in.cap);
	buf_free_secret(&c->line);
}

/* A deadline of seconds, but never behind the end of the session. */
static int64_t
pop3_deadline(const struct pop3_conn *c)
{
	int64_t idle = clock_deadline(c->idle_seconds);

	return idle < c->end_ms ? idle : c->end_ms;
}

int
pop3_flush(struct pop3_conn *c)
{
	return sink_flush(&c->out);
}

static int
pop3_read_line(struct pop3_conn *c, struct buf *line, unsigned *flaws)
{
	if (strv_find(source_peek(&c->in), '\n') == STRV_NPOS) {
		int r = pop3_flush(c);

		if (r != 0)
			return r;
	}
	return line_read(&c->in, pop3_deadline(c), line, flaws);
}

int
pop3_next(struct pop3_conn *c, struct pop3_command *command)
{
	unsigned flaws;
	int r;

	for (;;) {
		if (c->junk > POP3_JUNK_MAX) {
			pop3_err(c, "too many bad commands");
			pop3_flush(c);
			return QE_LIMIT;
		}
		r = pop3_read_line(c, &c->line, &flaws);
		if (r != 0)
			return r;
		if ((flaws & ~(unsigned)LINE_BARE_LF) == 0)
			break;
		pop3_junk(c,
		    flaws & LINE_TOO_LONG ? "line too long" : "syntax error");
	}
	command->argument = buf_view(&c->line);
	trace_client(&c->trace, command->argument);
	command->verb = strv_cut(&command->argument, ' ', NULL);
	return 0;
}

int
pop3_next_response(struct pop3_conn *c, struct buf *line)
{
	unsigned flaws;
	int r = pop3_read_line(c, line, &flaws);

	if (r != 0)
		return r;
	trace_secret(&c->trace);
	return (flaws & ~(unsigned)LINE_BARE_LF) == 0 ? 0 : QE_SYNTAX;
}

static void
pop3_say(struct pop3_conn *c, const char *status, const char *text)
{
	trace_server(&c->trace, status, text);
	sink_put_str(&c->out, status);
	sink_put_str(&c->out, text);
	sink_put_str(&c->out, "\r\n");
}

void
pop3_ok(struct pop3_conn *c, const char *text)
{
	pop3_say(c, "+OK ", text);
}

void
pop3_err(struct pop3_conn *c, const char *text)
{
	pop3_say(c, "-ERR ", text);
}

void
pop3_junk(struct pop3_conn *c, const char *text)
{
	c->junk++;
	pop3_err(c, text);
}

void
pop3_challenge(struct pop3_conn *c, struct strv challenge)
{
	trace_server(&c->trace, "+ ", "[...]");
	sink_put_str(&c->out, "+ ");
	sink_put_view(&c->out, challenge);
	sink_put_str(&c->out, "\r\n");
}

void
pop3_capa(struct pop3_conn *c, const struct pop3_capa *what)
{
	pop3_ok(c, "");
	if (what->mechanisms.len > 0) {
		sink_put_str(&c->out, "SASL ");
		sink_put_view(&c->out, what->mechanisms);
		sink_put_str(&c->out, "\r\n");
	}
	sink_put_str(&c->out, "AUTH-RESP-CODE\r\n"
			      "TOP\r\n");
	if (what->user)
		sink_put_str(&c->out, "USER\r\n");
	sink_put_str(&c->out, "UIDL\r\n"
			      "PIPELINING\r\n"
			      "RESP-CODES\r\n");
	if (what->stls)
		sink_put_str(&c->out, "STLS\r\n");
	sink_put_str(&c->out, "EXPIRE NEVER\r\n"
			      "LOGIN-DELAY 0\r\n"
			      "IMPLEMENTATION qmail-md\r\n"
			      ".\r\n");
}
