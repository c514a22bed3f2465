/*
 * The walk through the instructions: order, restrictions, forwards last.
 * What an instruction does is in instruction.c.
 */
#include "local/deliver.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "local/instruction.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum {
	COMPLAINT_MAX = 2000,
	REPORT_MAX = 2 * DOT_QMAIL_MAX /* -n repeats every line */
};

void
delivery_init(struct delivery *d, const struct local_mail *mail,
    const struct local_lines *lines, int message_fd)
{
	*d = (struct delivery){ .mail = mail,
		.lines = lines,
		.message_fd = message_fd,
		.recipients = BUF_LIMIT(DOT_QMAIL_MAX),
		.scratch = BUF_LIMIT(DOT_QMAIL_MAX),
		.report = BUF_LIMIT(REPORT_MAX) };
}

void
delivery_clear(struct delivery *d)
{
	buf_free(&d->recipients);
	buf_free(&d->new_sender);
	buf_free(&d->scratch);
	buf_free(&d->report);
	buf_free(&d->complaint);
	dot_qmail_clear(&d->continued);
}

int
delivery_fail(struct delivery *d, int code, const char *format, ...)
{
	char text[COMPLAINT_MAX];
	va_list args;

	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	va_end(args);
	buf_add_str(&d->complaint, text);
	buf_add_char(&d->complaint, '\n');
	return code;
}

int
delivery_fail_file(struct delivery *d, int r, const char *name)
{
	switch (r) {
	case QE_DENIED:
		return delivery_fail(d, EX_TEMPORARY,
		    "Uh-oh: .qmail file is writable. (#4.7.0)");
	case QE_SYNTAX:
		return delivery_fail(d, EX_TEMPORARY,
		    "Uh-oh: .qmail file contains a NUL. (#4.2.1)");
	case QE_LIMIT:
		return delivery_fail(
		    d, EX_TEMPORARY, "Uh-oh: .qmail file is too big. (#4.2.1)");
	case QE_ABSENT:
		return delivery_fail(d, EX_TEMPORARY,
		    "Uh-oh: .qmail goes on with %s, which is no file. (#4.2.1)",
		    name);
	case QE_SYS:
		return delivery_fail(d, EX_TEMPORARY,
		    "Unable to open %s: %s. (#4.3.0)", name, error_text(errno));
	default:
		return delivery_fail(
		    d, EX_TEMPORARY, "Out of memory. (#4.3.0)");
	}
}

/* -n: one line for each instruction. */
static int
describe(struct delivery *d, const char *what, struct strv text)
{
	buf_add_str(&d->report, what);
	buf_add_char(&d->report, ' ');
	buf_add_view(&d->report, text);
	buf_add_char(&d->report, '\n');
	return 0;
}

static int
refuse_forward_only(struct delivery *d, const char *what)
{
	return delivery_fail(d, EX_TEMPORARY,
	    "Uh-oh: .qmail has %s delivery but has x bit set. (#4.7.0)", what);
}

static int
run_file(struct delivery *d, const struct dot_qmail_line *line)
{
	if (d->forward_only)
		return refuse_forward_only(d, "file");
	d->files++;
	switch (line->kind) {
	case DQ_MAILDIR:
		return d->dry_run ? describe(d, "maildir", line->text)
				  : instruction_maildir(d, line->text);
	case DQ_LMTP:
		return d->dry_run ? describe(d, "lmtp", line->text)
				  : instruction_lmtp(d, line->text);
	default:
		return d->dry_run ? describe(d, "mbox", line->text)
				  : instruction_mbox(d, line->text);
	}
}

static int
run_program(struct delivery *d, struct strv command)
{
	if (d->forward_only)
		return refuse_forward_only(d, "prog");
	d->programs++;
	if (d->dry_run)
		return describe(d, "program", command);
	return instruction_program(d, command);
}

/* A condition delivers nothing, so it is not counted. */
static int
run_condition(struct delivery *d, struct strv command)
{
	if (d->forward_only)
		return refuse_forward_only(d, "prog");
	if (d->dry_run)
		return describe(d, "condition", command);
	return instruction_condition(d, command);
}

static int
collect_forward(struct delivery *d, struct strv address)
{
	/* Nobody means to throw mail away by a stray "&". */
	if (address.len == 0)
		return delivery_fail(d, EX_TEMPORARY,
		    "Uh-oh: .qmail forwards to an empty address. (#4.2.1)");
	d->forwards++;
	if (d->dry_run)
		return describe(d, "forward", address);
	buf_add_view(&d->recipients, address);
	buf_add_char(&d->recipients, '\0');
	return 0;
}

static int
run_line(struct delivery *d, const struct dot_qmail_line *line)
{
	switch (line->kind) {
	case DQ_MBOX:
	case DQ_MAILDIR:
	case DQ_LMTP:
		return run_file(d, line);
	case DQ_PROGRAM:
		return run_program(d, line->text);
	case DQ_CONDITION:
		return run_condition(d, line->text);
	case DQ_FORWARD:
		return collect_forward(d, line->text);
	case DQ_FORWARDS_ONLY:
		d->forward_only = true;
		return 0;
	case DQ_UNKNOWN:
		return delivery_fail(d, EX_TEMPORARY,
		    "Uh-oh: .qmail has a line with ! that is not !lmtp:. "
		    "(#4.2.1)");
	case DQ_BLANK:
	case DQ_COMMENT:
	case DQ_IGNORED:
	case DQ_CONTINUE: /* it has no end to come back from */
		return 0;
	}
	return 0;
}

/* As if the last LF had not been forgotten: never "no instructions". */
static struct strv
lines_of(struct strv text)
{
	return text.len == 0 ? STRV("\n") : text;
}

/* Goes on with another file: *rest is then of that one. */
static int
continue_with(struct delivery *d, struct strv name, struct strv *rest)
{
	struct dot_qmail next;
	int r;

	if (d->continuations++ == DOT_QMAIL_CONTINUED_MAX)
		return delivery_fail(d, EX_TEMPORARY,
		    "Uh-oh: .qmail files go on with each other for ever. "
		    "(#4.2.1)");
	r = dot_qmail_open_named(name, &next);
	if (r != 0) {
		r = delivery_fail_file(d, r, buf_cstr(&next.name));
		dot_qmail_clear(&next);
		return r;
	}
	d->forward_only |= next.forward_only;
	if (next.text.len == 0)
		*rest = strv_of(d->mail->default_delivery);
	else
		*rest = buf_view(&next.text);
	*rest = lines_of(*rest);
	dot_qmail_clear(&d->continued); /* name lies in it */
	d->continued = next;
	return 0;
}

static bool
is_instruction(const struct dot_qmail_line *line)
{
	return line->kind != DQ_BLANK && line->kind != DQ_COMMENT &&
	       line->kind != DQ_IGNORED;
}

/*
 * The lines of one file, or, in *rest, of that which it goes on with.  In a
 * dry run nobody knows the answer to a condition: both ways are shown.
 */
static int
run_file_lines(struct delivery *d, struct strv *rest, bool *more)
{
	struct dot_qmail_line line;
	bool first = true, skip = false, conditional = false;
	int r = 0;

	for (*more = false; dot_qmail_line_next(rest, &line); first = false) {
		if (first && line.kind == DQ_BLANK)
			return delivery_fail(d, EX_TEMPORARY,
			    "Uh-oh: first line of .qmail file is blank. "
			    "(#4.2.1)");
		if (!is_instruction(&line))
			continue;
		if (skip) {
			skip = false;
			continue;
		}
		if (line.kind == DQ_CONTINUE && d->dry_run)
			describe(d, "continue", line.text);
		*more =
		    line.kind == DQ_CONTINUE && !(d->dry_run && conditional);
		if (*more)
			return continue_with(d, line.text, rest);
		conditional = line.kind == DQ_CONDITION;
		r = run_line(d, &line);
		skip = r == INSTRUCTION_NO;
		if (r != 0 && !skip)
			break;
	}
	return skip ? 0 : r;
}

static int
run_lines(struct delivery *d, struct strv text)
{
	struct strv rest = lines_of(text);
	bool more = true;
	int r = 0;

	while (r == 0 && more)
		r = run_file_lines(d, &rest, &more);
	return r == EX_SKIP_REST ? 0 : r;
}

int
delivery_run(struct delivery *d, struct strv instructions)
{
	int r = run_lines(d, instructions);

	if (r != 0)
		return r;
	buf_addf(&d->report, "did %" PRIu64 "+%" PRIu64 "+%" PRIu64 "\n",
	    d->files, d->forwards, d->programs);
	if (d->forwards > 0 && !d->dry_run)
		return instruction_forward_all(d);
	return 0;
}
