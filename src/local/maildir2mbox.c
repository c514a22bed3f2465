/*
 * maildir2mbox: moves the messages of the Maildir $MAILDIR to the end of the
 * mbox $MAIL, by way of $MAILTMP; maildir2mbox(1).
 *
 * The new mbox is complete and on the disk before it gets the name, and only
 * then the messages go: a crash leaves them twice, never lost.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "local/messages.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LOCK_SECONDS = 30,
	LOCK_PAUSE_MS = 100,
	COPY_BYTES = 64 * 1024,
	HEAD_BYTES = 2048 /* that may hold the Return-Path field */
};

static const struct program program = { .name = "maildir2mbox", .umask = 077 };

struct paths {
	const char *maildir, *mail, *tmp;
};

static const char *
variable(const char *name)
{
	const char *value = env_get(name);

	if (value == NULL || *value == '\0')
		die(EX_PERMANENT, "%s not set", name);
	return value;
}

/* The mbox, made if need be, locked and still the one that has the name. */
static int
open_mail(const char *path)
{
	int64_t end = clock_deadline(LOCK_SECONDS);

	for (;;) {
		struct stat ours, named;
		int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			die_errno(EX_TEMPORARY, "unable to open %s", path);
		while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			if (errno != EWOULDBLOCK || clock_mono_ms() >= end)
				die_errno(
				    EX_TEMPORARY, "unable to lock %s", path);
			clock_sleep_ms(LOCK_PAUSE_MS);
		}
		if (fstat(fd, &ours) == 0 && stat(path, &named) == 0 &&
		    ours.st_ino == named.st_ino && ours.st_dev == named.st_dev)
			return fd;
		io_close(&fd);
	}
}

static void
copy_old(int from, struct sink *to, const char *path)
{
	char block[COPY_BYTES];
	ssize_t got;
	char last = '\n';

	while ((got = io_read(from, block, sizeof(block))) > 0) {
		last = block[got - 1];
		sink_put(to, block, (size_t)got);
	}
	if (got < 0)
		die_errno(EX_TEMPORARY, "unable to read %s", path);
	/* Or the first From_ line would disappear in it. */
	if (last != '\n')
		sink_put_str(to, "\n\n");
}

/* The sender, from a Return-Path in the first lines, or a stand-in. */
static void
add_sender(struct buf *out, struct strv head)
{
	struct strv field, path = STRV("XX"
				       "X");

	while (header_next(&head, &field))
		if (header_field_is(field, STRV("Return-Path"))) {
			path = strv_trim_blanks(header_field_value(field));
			break;
		}
	if (path.len >= 2 && path.ptr[0] == '<' &&
	    path.ptr[path.len - 1] == '>')
		path = strv_head(strv_skip(path, 1), path.len - 2);
	if (path.len == 0)
		path = STRV("MAILER-DAEMON");
	for (size_t i = 0; i < path.len; i++)
		buf_add_char(out, path.ptr[i] == ' ' || path.ptr[i] == '\t' ||
					  path.ptr[i] == '\n'
				      ? '-'
				      : path.ptr[i]);
}

static void
append(const struct message *message, struct sink *to)
{
	struct buf line = BUF_INIT;
	char head[HEAD_BYTES];
	ssize_t got;
	int fd = open(message->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die_errno(EX_TEMPORARY, "unable to open %s", message->path);
	got = pread(fd, head, sizeof(head), 0);
	if (got < 0)
		die_errno(EX_TEMPORARY, "unable to read %s", message->path);
	buf_add_str(&line, "From ");
	add_sender(&line, strv_from(head, (size_t)got));
	buf_add_char(&line, ' ');
	date_add_ctime(&line, message->mtime.tv_sec);
	buf_add_char(&line, '\n');
	if (line.err != 0)
		die_nomem();
	if (mbox_copy(buf_view(&line), fd, to) == MBOX_READ)
		die_errno(EX_TEMPORARY, "unable to read %s", message->path);
	buf_free(&line);
	io_close(&fd);
}

static void
write_new(const struct paths *p, int old, const struct messages *messages)
{
	static char block[COPY_BYTES];
	struct stat st;
	struct sink to;
	int fd = open(p->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		die_errno(EX_TEMPORARY, "unable to open %s", p->tmp);
	if (fstat(old, &st) == 0 && fchmod(fd, st.st_mode & 0777) < 0)
		die_errno(EX_TEMPORARY, "unable to write %s", p->tmp);
	sink_init(&to, fd, block, sizeof(block));
	copy_old(old, &to, p->mail);
	for (size_t i = 0; i < messages->count; i++)
		append(&messages->items[i], &to);
	if (sink_flush(&to) != 0 || io_sync(fd) != 0 || close(fd) < 0) {
		int saved = to.err != 0 ? to.errnum : errno;

		unlink(p->tmp);
		errno = saved;
		die_errno(EX_TEMPORARY, "unable to write %s", p->tmp);
	}
}

static void
sync_directory_of(const char *path)
{
	char dir[4096];
	const char *slash = strrchr(path, '/');

	snprintf(dir, sizeof(dir), "%.*s",
	    slash == NULL ? 1 : (int)(slash - path),
	    slash == NULL ? "." : path);
	if (io_sync_dir(slash == path ? "/" : dir) != 0)
		die_errno(
		    EX_TEMPORARY, "unable to sync the directory of %s", path);
}

static void
scan(struct messages *messages)
{
	int r = messages_scan(messages, "new");

	if (r == 0)
		r = messages_scan(messages, "cur");
	if (r == QE_NOMEM)
		die_nomem();
	if (r != 0)
		die_errno(EX_TEMPORARY, "unable to scan the Maildir");
	messages_sort(messages);
}

int
main(void)
{
	struct messages messages = { .count = 0 };
	struct paths p;
	int fd;

	program_begin(&program);
	p = (struct paths){ variable("MAILDIR"), variable("MAIL"),
		variable("MAILTMP") };
	if (p.mail[0] != '/' || p.tmp[0] != '/')
		die(EX_PERMANENT, "MAIL and MAILTMP have to be full paths");
	if (chdir(p.maildir) < 0)
		die_errno(EX_TEMPORARY, "unable to chdir to %s", p.maildir);
	fd = open_mail(p.mail);
	scan(&messages);
	if (messages.count == 0)
		return EX_SUCCESS;
	write_new(&p, fd, &messages);
	if (rename(p.tmp, p.mail) < 0)
		die_errno(
		    EX_TEMPORARY, "unable to move %s to %s", p.tmp, p.mail);
	sync_directory_of(p.mail);
	for (size_t i = 0; i < messages.count; i++)
		if (unlink(messages.items[i].path) < 0 && errno != ENOENT)
			warn("unable to remove %s: it is in the mbox as well",
			    messages.items[i].path);
	messages_free(&messages);
	io_close(&fd);
	return EX_SUCCESS;
}
