/*
 * The walk through the instructions: order, restrictions, forwards last.
 * What an instruction does is in instruction.c.
 */
#include "local/deliver.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "local/dot_qmail.h"
#include "local/instruction.h"

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
run_file(struct delivery *d, const struct dot_qmail_line *line)
{
	bool maildir = line->kind == DQ_MAILDIR;

	if (d->forward_only)
		return delivery_fail(d, EX_TEMPORARY,
		    "Uh-oh: .qmail has file delivery but has x bit set. "
		    "(#4.7.0)");
	d->files++;
	if (d->dry_run)
		return describe(d, maildir ? "maildir" : "mbox", line->text);
	return maildir ? instruction_maildir(d, line->text)
		       : instruction_mbox(d, line->text);
}

static int
run_program(struct delivery *d, struct strv command)
{
	if (d->forward_only)
		return delivery_fail(d, EX_TEMPORARY,
		    "Uh-oh: .qmail has prog delivery but has x bit set. "
		    "(#4.7.0)");
	d->programs++;
	if (d->dry_run)
		return describe(d, "program", command);
	return instruction_program(d, command);
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
run_line(struct delivery *d, const struct dot_qmail_line *line, bool first)
{
	switch (line->kind) {
	case DQ_BLANK:
		if (first)
			return delivery_fail(d, EX_TEMPORARY,
			    "Uh-oh: first line of .qmail file is blank. "
			    "(#4.2.1)");
		return 0;
	case DQ_MBOX:
	case DQ_MAILDIR:
		return run_file(d, line);
	case DQ_PROGRAM:
		return run_program(d, line->text);
	case DQ_FORWARD:
		return collect_forward(d, line->text);
	case DQ_FORWARDS_ONLY:
		d->forward_only = true;
		return 0;
	case DQ_COMMENT:
	case DQ_IGNORED:
		return 0;
	}
	return 0;
}

static int
run_lines(struct delivery *d, struct strv rest)
{
	struct dot_qmail_line line;
	bool first = true;

	/* As if the last LF had not been forgotten: never "no instructions" */
	if (rest.len == 0)
		rest = STRV("\n");
	for (; dot_qmail_line_next(&rest, &line); first = false) {
		int r = run_line(d, &line, first);

		if (r == EX_SKIP_REST)
			break;
		if (r != 0)
			return r;
	}
	return 0;
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
