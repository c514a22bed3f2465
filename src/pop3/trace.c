/*
 * The log of a session, one write(2) a line.  Escaping and the longest line
 * are base/log.h's; what is shown of a line is decided here.
 */
#include "pop3/trace.h"
#include "base/buf.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { TRACE_FD_MAX = 1023, TRACE_PID_MAX = 1 << 30 };

#define TRACE_HIDDEN "[...]"

/* How many words of a command are shown, the verb included. */
static const struct shown {
	const char *verb;
	unsigned words;
} shown[] = {
	{"PASS",  1},
	{ "APOP", 2},
	{ "AUTH", 2},
	{ "USER", 3},
	{ "CAPA", 3},
	{ "STLS", 3},
	{ "QUIT", 3},
	{ "NOOP", 3},
	{ "STAT", 3},
	{ "LIST", 3},
	{ "UIDL", 3},
	{ "RETR", 3},
	{ "TOP",  3},
	{ "DELE", 3},
	{ "RSET", 3},
	{ "LAST", 3},
};

static void
trace_text(const struct pop3_trace *t, const char *prefix, struct strv text)
{
	struct buf line = BUF_LIMIT(2 * LOG_LINE_MAX);

	buf_add_str(&line, prefix);
	buf_add_view(&line, strv_head(text, LOG_LINE_MAX));
	if (line.err == 0)
		log_line_as(t->fd, die_name(), t->pid, buf_view(&line));
	buf_free(&line);
}

static unsigned
words_shown(struct strv verb)
{
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
		if (strv_eq_nocase(verb, strv_of(shown[i].verb)))
			return shown[i].words;
	return 0;
}

void
trace_client(const struct pop3_trace *t, struct strv line)
{
	struct strv rest = line;
	unsigned words;

	if (!t->in || t->fd == 0)
		return;
	words = words_shown(strv_cut(&rest, ' ', NULL));
	if (words == 2)
		strv_cut(&rest, ' ', NULL);
	if (words != 0 && (words > 2 || rest.len == 0)) {
		trace_text(t, "C: ", line);
	} else {
		struct buf text = BUF_LIMIT(LOG_LINE_MAX);

		buf_add_view(&text, strv_head(line, line.len - rest.len));
		if (words == 0)
			buf_reset(&text);
		buf_add_str(&text, TRACE_HIDDEN);
		trace_text(t, "C: ", buf_view(&text));
		buf_free(&text);
	}
}

void
trace_secret(const struct pop3_trace *t)
{
	if (t->in && t->fd != 0)
		trace_text(t, "C: ", STRV(TRACE_HIDDEN));
}

void
trace_server(const struct pop3_trace *t, const char *status, const char *text)
{
	char prefix[16];

	if (!t->out || t->fd == 0)
		return;
	snprintf(prefix, sizeof(prefix), "S: %s", status);
	trace_text(t, prefix, strv_of(text));
}

void
trace_event(const struct pop3_trace *t, const char *format, ...)
{
	char text[LOG_LINE_MAX + 1];
	va_list args;

	if (t->fd == 0)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	trace_text(t, "", strv_of(text));
}

int
trace_to_environment(const struct pop3_trace *t)
{
	char text[48];

	if (t->fd == 0 || (!t->in && !t->out)) {
		env_unset("POP3LOG");
		return 0;
	}
	snprintf(text, sizeof(text), "%d %ld %s%s", t->fd, (long)t->pid,
	    t->in ? "i" : "", t->out ? "o" : "");
	return env_set("POP3LOG", text);
}

void
trace_from_environment(struct pop3_trace *t)
{
	struct strv what = strv_of(env_get("POP3LOG"));
	struct strv fd = strv_cut(&what, ' ', NULL);
	struct strv session = strv_cut(&what, ' ', NULL);
	uint64_t number, pid;

	*t = (struct pop3_trace){ .fd = 0 };
	if (strv_to_u64(fd, TRACE_FD_MAX, &number) != 0 ||
	    strv_to_u64(session, TRACE_PID_MAX, &pid) != 0 ||
	    number < STDERR_FILENO || fcntl((int)number, F_GETFD) < 0)
		return;
	if (number > STDERR_FILENO)
		fcntl((int)number, F_SETFD, FD_CLOEXEC);
	t->fd = (int)number;
	t->pid = (pid_t)pid;
	t->in = strv_find(what, 'i') != STRV_NPOS;
	t->out = strv_find(what, 'o') != STRV_NPOS;
}
