/*
 * A conversation that takes no message: greeting, HELO and MAIL are accepted,
 * because clients read the reason only in the answer to RCPT.  All else gets
 * the reason, too (RFC 5321 section 4.2.4 knows no command that may not).
 */
#include "smtpd/rbl_refuse.h"
#include "base/clock.h"
#include "base/error.h"
#include "smtp/line.h"
#include "smtp/reply.h"
#include "smtp/verb.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	REFUSE_LINE_MAX = 1024,
	REFUSE_COMMANDS_MAX = 500,
	REFUSE_IN = 2048,
	REFUSE_OUT = 2048
};

struct refusing {
	const struct rbl_refusal *what;
	struct source in;
	struct sink out;
	struct buf line, reply;
	int64_t deadline_ms;
};

static void
say(struct refusing *r, int code, const char *text)
{
	struct reply reply = reply_make(code, NULL, text);

	buf_reset(&r->reply);
	reply_add(&r->reply, &reply);
	(void)sink_put_view(&r->out, buf_view(&r->reply));
}

static bool
is_accepted(struct strv verb)
{
	static const char *const accepted[] = { "HELO", "EHLO", "MAIL", "RSET",
		"NOOP" };

	for (size_t i = 0; i < sizeof(accepted) / sizeof(*accepted); i++)
		if (strv_eq_nocase(verb, strv_of(accepted[i])))
			return true;
	return false;
}

/* False at the end of the conversation. */
static bool
answer(struct refusing *r)
{
	struct strv verb = verb_split(buf_view(&r->line)).verb;

	if (strv_eq_nocase(verb, STRV("QUIT"))) {
		say(r, 221, r->what->quit);
		return false;
	}
	if (is_accepted(verb))
		say(r, 250, r->what->accept);
	else
		say(r, r->what->code, r->what->text);
	return true;
}

static int
next_command(struct refusing *r)
{
	unsigned flaws;

	if (strv_find(source_peek(&r->in), '\n') == STRV_NPOS &&
	    sink_flush(&r->out) != 0)
		return QE_EOF;
	if (clock_mono_ms() >= r->deadline_ms)
		return QE_TIMEOUT;
	return line_read(&r->in, r->deadline_ms, &r->line, &flaws);
}

static void
converse(struct refusing *r)
{
	say(r, 220, r->what->greet);
	for (int i = 0; i < REFUSE_COMMANDS_MAX; i++) {
		int result = next_command(r);

		if (result == QE_TIMEOUT)
			break;
		if (result != 0 || !answer(r))
			return;
	}
	say(r, 421, r->what->quit);
}

void
rbl_refuse(int in_fd, int out_fd, const struct rbl_refusal *refusal)
{
	char in_data[REFUSE_IN], out_data[REFUSE_OUT];
	struct refusing r = {
		.what = refusal,
		.line = BUF_LIMIT(REFUSE_LINE_MAX),
		.reply = BUF_INIT,
		.deadline_ms = clock_deadline(refusal->seconds),
	};

	source_init(&r.in, in_fd, in_data, sizeof(in_data));
	sink_init(&r.out, out_fd, out_data, sizeof(out_data));
	/* The last words may come when the time is over. */
	r.out.end_ms = clock_deadline(refusal->seconds + 1);
	io_limit_writes(out_fd, 1);
	converse(&r);
	(void)sink_flush(&r.out);
	buf_free(&r.line);
	buf_free(&r.reply);
}
