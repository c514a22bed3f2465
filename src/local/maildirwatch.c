/*
 * maildirwatch: shows what is new in the Maildir $MAILDIR, again and again;
 * maildirwatch(1).  Bytes that could drive the terminal are shown as '?'.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "local/messages.h"
#include "mail/header.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	PAUSE_MS = 30 * 1000,
	HEAD_BYTES = 16 * 1024,
	SHOWN_COLUMNS = 79,
	SHOWN_LINES = 3, /* of a body */
	SCREEN_MAX = 1 << 20
};

static const struct program program = { .name = "maildirwatch",
	.flags = PROGRAM_FD1 | PROGRAM_KEEP_SIGPIPE | PROGRAM_KEEP_UMASK };

static void
add_line(
    struct buf *out, const char *before, struct strv text, const char *after)
{
	text = strv_head(text, SHOWN_COLUMNS);
	buf_add_str(out, before);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c == '\t' || c == '\n')
			c = ' ';
		buf_add_char(out, c < ' ' || c == 127 ? '?' : (char)c);
	}
	buf_add_str(out, after);
}

static struct strv
inside_brackets(struct strv path)
{
	path = strv_trim_blanks(path);
	if (path.len < 2 || path.ptr[0] != '<' || path.ptr[path.len - 1] != '>')
		return path;
	return strv_head(strv_skip(path, 1), path.len - 2);
}

static void
show(struct buf *out, struct strv message)
{
	struct strv sender = STRV_EMPTY, recipient = STRV_EMPTY;
	struct strv from = STRV_EMPTY, subject = STRV_EMPTY;
	struct strv field;

	while (header_next(&message, &field)) {
		struct strv value = strv_trim_blanks(header_field_value(field));

		if (header_field_is(field, STRV("Return-Path")))
			sender = inside_brackets(value);
		else if (header_field_is(field, STRV("Delivered-To")) &&
			 recipient.len == 0)
			recipient = value;
		else if (header_field_is(field, STRV("From")))
			from = field;
		else if (header_field_is(field, STRV("Subject")))
			subject = field;
	}
	add_line(out, "FROM <", sender, ">");
	add_line(out, " TO <", recipient, ">\n");
	add_line(out, "", from, from.len > 0 ? "\n" : "");
	add_line(out, "", subject, subject.len > 0 ? "\n" : "");
	for (int i = 0; i < SHOWN_LINES && message.len > 0; i++)
		add_line(out, "", strv_cut(&message, '\n', NULL), "\n");
	buf_add_char(out, '\n');
}

static void
show_file(struct buf *out, const char *path)
{
	char head[HEAD_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : io_read(fd, head, sizeof(head));

	io_close(&fd);
	if (got >= 0) /* else it has gone meanwhile */
		show(out, strv_from(head, (size_t)got));
}

int
main(void)
{
	const char *maildir;

	program_begin(&program);
	maildir = env_get("MAILDIR");
	if (maildir == NULL)
		die(EX_PERMANENT, "MAILDIR not set");
	if (chdir(maildir) < 0)
		die_errno(EX_TEMPORARY, "unable to chdir to %s", maildir);
	for (;;) {
		struct buf screen = BUF_LIMIT(SCREEN_MAX);
		struct messages messages = { .count = 0 };

		if (messages_scan(&messages, "new") != 0)
			die_errno(
			    EX_TEMPORARY, "unable to scan %s/new", maildir);
		messages_sort(&messages);
		buf_add_str(&screen, "\033[;H\033[;J");
		for (size_t i = 0; i < messages.count; i++)
			show_file(&screen, messages.items[i].path);
		if (io_write_all(1, screen.data, screen.len) != 0)
			die_errno(EX_TEMPORARY, "unable to write");
		messages_free(&messages);
		buf_free(&screen);
		clock_sleep_ms(PAUSE_MS);
	}
}
