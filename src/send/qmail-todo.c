/*
 * qmail-todo(8): takes new messages out of todo/ for qmail-send, so that a
 * flood of them never delays deliveries, nor the reverse.
 *
 * User: qmails, started by qmail-send with commands on descriptor 0, reports
 * on 1 and the queue's lock on 3.  Files: reads todo, mess and lock/trigger,
 * writes info, local and remote.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "send/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
	FD_COMMANDS = 0,
	FD_REPORTS = 1,
	FD_LOCK = 3,
	COMMANDS_MAX = 1 << 20, /* bytes in memory */
	COMMANDS_READ = 1 << 16,
	OUT_MAX = 1 << 24,
	NOTE_MAX = 300,
	WAIT_MAX = 600 /* seconds */
};

enum { POLL_COMMANDS, POLL_REPORTS, POLL_TRIGGER, POLL_COUNT };

bool
intake_tell(struct intake *t, const struct link_message *message)
{
	size_t mark = t->out.data.len;

	link_encode(&t->out.data, message);
	return outpipe_keep(&t->out, mark);
}

void
intake_note(struct intake *t, const char *format, ...)
{
	struct link_message note = { .type = LINK_NOTE };
	char text[NOTE_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0)
		return;
	note.text = strv_of(text);
	if (!intake_tell(t, &note))
		errno = ENOMEM; /* a lost line is better than a lost message */
}

void
intake_note_file(
    struct intake *t, const char *what, const char *path, const char *rest)
{
	intake_note(t, "warning: %s %s%s", what, path, rest);
}

/* On failure the old values stay. */
static void
reread(struct intake *t)
{
	struct control_error err;
	const char *failed;

	if (chdir(program_home()) < 0)
		return; /* qmail-send has said so */
	if (resolver_reread(t->resolver, &failed, &err) != 0) {
		intake_note(t, "warning: %s", err.text);
		intake_note(t, "alert: unable to reread control/%s", failed);
	}
	while (fchdir(t->queue_fd) < 0)
		clock_sleep_ms(1000);
}

static void
stop(struct intake *t)
{
	t->stopped = true;
	id_fifo_free(&t->announced);
	id_fifo_free(&t->found);
	t->held = 0;
}

/* QE_SYNTAX if qmail-send may not say that. */
static int
obey(struct intake *t, const struct link_message *l)
{
	switch (l->type) {
	case LINK_GRANT:
		t->credit += l->count;
		return 0;
	case LINK_RELEASE:
		intake_release(t, l->id);
		return 0;
	case LINK_WRITE:
		intake_write(t, l);
		return 0;
	case LINK_REREAD:
		reread(t);
		return 0;
	case LINK_STOP:
		stop(t);
		return 0;
	case LINK_FRESH:
	case LINK_QUEUED:
	case LINK_WRITTEN:
	case LINK_NOTE:
	case LINK_STRAY:
	case LINK_LOOK:
		break;
	}
	return QE_SYNTAX;
}

static int
obey_all(struct intake *t)
{
	size_t at = 0;
	int r;

	for (;;) {
		struct link_message l;
		size_t used;

		r = link_decode(strv_skip(buf_view(&t->in), at), &l, &used);
		if (r == 0)
			r = obey(t, &l);
		if (r != 0)
			break;
		at += used;
	}
	buf_consume(&t->in, at);
	return r == QE_EOF ? 0 : r;
}

/* Everything that is there.  0 or QE_EOF: qmail-send is gone. */
static int
read_commands(struct intake *t)
{
	for (;;) {
		char *to = buf_reserve(&t->in, COMMANDS_READ);
		ssize_t got;

		if (to == NULL)
			return QE_EOF;
		got = io_read(FD_COMMANDS, to, COMMANDS_READ);
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (got <= 0)
			return QE_EOF;
		t->in.len += (size_t)got;
		if (obey_all(t) != 0)
			return QE_EOF;
		if (got < COMMANDS_READ)
			return 0;
	}
}

/* True if qmail-send has something to say. */
static bool
wait_for_work(struct intake *t, bool busy)
{
	struct pollfd p[POLL_COUNT] = { 0 };
	int64_t wait = search_next(t) - t->now;

	p[POLL_COMMANDS].fd = FD_COMMANDS;
	p[POLL_COMMANDS].events = POLLIN;
	p[POLL_REPORTS].fd = outpipe_load(&t->out) > 0 ? FD_REPORTS : -1;
	p[POLL_REPORTS].events = POLLOUT;
	p[POLL_TRIGGER].fd = t->stopped ? -1 : t->trigger.fd;
	p[POLL_TRIGGER].events = POLLIN;
	if (busy || wait < 0)
		wait = 0;
	if (wait > WAIT_MAX)
		wait = WAIT_MAX;
	if (poll(p, POLL_COUNT, (int)(wait * 1000)) < 0)
		return true; /* nothing is known: look at everything */
	if (p[POLL_TRIGGER].revents != 0)
		search_listen(t);
	return p[POLL_COMMANDS].revents != 0;
}

static void
serve(struct intake *t)
{
	bool has_commands = true;

	for (;;) {
		bool busy;

		t->now = clock_wall();
		/* First what is released: its number may be in use again. */
		if (has_commands && read_commands(t) != 0)
			return;
		search_turn(t);
		busy = intake_turn(t);
		batch_commit(t);
		if (outpipe_flush(&t->out) != 0)
			return;
		has_commands = wait_for_work(t, busy);
	}
}

static void
cannot_start(struct intake *t, const char *why)
{
	intake_note(t, "alert: cannot start: %s", why);
	outpipe_flush(&t->out);
	_exit(EX_TEMPORARY);
}

static void
start(struct intake *t)
{
	struct control_error err;

	outpipe_init(&t->out, FD_REPORTS, OUT_MAX);
	t->in = (struct buf)BUF_LIMIT(COMMANDS_MAX);
	t->now = clock_wall();
	if (io_set_nonblocking(FD_COMMANDS, true) != 0 ||
	    io_set_nonblocking(FD_REPORTS, true) != 0)
		_exit(EX_TEMPORARY);
	if (chdir(program_home()) < 0)
		cannot_start(t, "unable to switch to home directory");
	if (resolver_open(&t->resolver, &err) != 0) {
		intake_note(t, "warning: %s", err.text);
		cannot_start(t, "unable to read controls");
	}
	t->queue_fd = open("queue", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->queue_fd < 0 || fchdir(t->queue_fd) < 0 ||
	    queue_layout_read(&t->layout) != 0)
		cannot_start(t, "unable to switch to queue directory");
	search_start(t);
}

int
main(void)
{
	static const struct program program = { "qmail-todo",
		PROGRAM_FD0 | PROGRAM_FD1, 077 };
	struct intake intake = { .held = 0 };

	program_begin(&program);
	/* The end comes from qmail-send, when all its wishes are met. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGALRM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	start(&intake);
	serve(&intake);
	batch_commit(&intake);
	return EX_SUCCESS;
}
