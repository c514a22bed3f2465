/*
 * The client side of qmail-queue(8).
 *
 * All writes are non-blocking: while the child does not read, its own words
 * are taken off the third pipe, so that neither side waits for the other for
 * ever.
 */
#include "spool/submit.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "base/spawn.h"
#include "spool/submit_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	SUBMIT_PATH_MAX = 1024,  /* bytes of $QMAILQUEUE */
	SUBMIT_ABORT_MS = 10000, /* a child has to notice that we gave up */
	SUBMIT_CUSTOM_FD = 6,
	SUBMIT_CUSTOM_FD_OLD = 4 /* where older wrappers write */
};

/* The three pipes: [0] is read from, [1] written to. */
struct pipes {
	int message[2], envelope[2], custom[2];
};

static void
pipes_close(struct pipes *p)
{
	for (int end = 0; end < 2; end++) {
		io_close(&p->message[end]);
		io_close(&p->envelope[end]);
		io_close(&p->custom[end]);
	}
}

static int
pipes_open(struct pipes *p)
{
	*p = (struct pipes){
		{-1,  -1},
                { -1, -1},
                { -1, -1}
	};
	if (io_pipe(p->message) == 0 && io_pipe(p->envelope) == 0 &&
	    io_pipe(p->custom) == 0 &&
	    fcntl(p->message[1], F_SETFL, O_NONBLOCK) == 0 &&
	    fcntl(p->envelope[1], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	pipes_close(p);
	return QE_SYS;
}

/*
 * $QMAILQUEUE is not searched in $PATH but means a file below the home, also
 * when it is a bare word; argv[0] stays as it was given.
 */
static int
start(const struct pipes *p, struct submit *submit)
{
	char path[SUBMIT_PATH_MAX + 3], name[SUBMIT_PATH_MAX + 1];
	char *argv[] = { name, NULL };
	const char *program = env_get("QMAILQUEUE");
	struct spawn s = {
		.path = path,
		.argv = argv,
		.cwd = program_home(),
		.fds = {p->message[0], p->envelope[0], 2, -1, -1, -1, -1},
		.fd_count = SUBMIT_CUSTOM_FD + 1,
		.exit_cwd = QQ_CHDIR_HOME,
		.exit_exec_temp = QQ_EXEC
	};

	submit->is_foreign = program != NULL && *program != '\0';
	submit->has_group = submit->is_foreign && submit->has_group;
	s.own_group = submit->has_group;
	if (!submit->is_foreign)
		program = "bin/qmail-queue";
	if (strlen(program) > SUBMIT_PATH_MAX) {
		errno = ENAMETOOLONG;
		return QE_SYS;
	}
	snprintf(name, sizeof(name), "%s", program);
	snprintf(path, sizeof(path), "%s%s",
	    strchr(program, '/') == NULL ? "./" : "", program);
	s.fds[SUBMIT_CUSTOM_FD] = s.fds[SUBMIT_CUSTOM_FD_OLD] = p->custom[1];
	return spawn_program(&s, &submit->pid);
}

static int
open_program(struct submit *s)
{
	struct pipes p;

	if (pipes_open(&p) != 0)
		return QE_SYS;
	if (start(&p, s) != 0) {
		pipes_close(&p);
		return QE_SYS;
	}
	s->message_fd = p.message[1];
	s->envelope_fd = p.envelope[1];
	s->custom_fd = p.custom[0];
	p.message[1] = p.envelope[1] = p.custom[0] = -1;
	pipes_close(&p);
	s->message_left_fd = s->envelope_left_fd = -1;
	s->failed = false;
	s->deadline_ms = IO_FOREVER;
	s->custom_len = s->used = 0;
	return 0;
}

int
submit_open(struct submit *s)
{
	s->has_group = false;
	return open_program(s);
}

int
submit_open_group(struct submit *s)
{
	s->has_group = true;
	return open_program(s);
}

/* Waits until fd takes bytes again, and listens to the child meanwhile. */
static int
wait_for_room(struct submit *s, int fd)
{
	struct pollfd p[2] = {
		{.fd = fd,            .events = POLLOUT},
		{ .fd = s->custom_fd, .events = POLLIN }
	};
	int timeout = submit_child_timeout(s->deadline_ms);

	if (timeout == 0)
		return QE_TIMEOUT;
	if (poll(p, 2, timeout) < 0 && errno != EINTR)
		return QE_SYS;
	if (p[1].revents != 0)
		submit_child_listen(s);
	return 0;
}

static int
send_bytes(struct submit *s, int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t did = write(fd, data, n);

		if (did > 0) {
			data += did;
			n -= (size_t)did;
			continue;
		}
		if (did < 0 && errno != EAGAIN && errno != EINTR)
			return QE_SYS;
		if (wait_for_room(s, fd) != 0)
			return QE_TIMEOUT;
	}
	return 0;
}

static void
flush_to(struct submit *s, int fd)
{
	if (!s->failed && send_bytes(s, fd, s->buffer, s->used) != 0)
		s->failed = true;
	s->used = 0;
}

/* What does not fit with the rest leaves alone, without being copied. */
static void
put(struct submit *s, int fd, struct strv bytes)
{
	if (s->failed)
		return;
	if (bytes.len > sizeof(s->buffer) - s->used)
		flush_to(s, fd);
	if (bytes.len > sizeof(s->buffer)) {
		if (!s->failed && send_bytes(s, fd, bytes.ptr, bytes.len) != 0)
			s->failed = true;
		return;
	}
	memcpy(s->buffer + s->used, bytes.ptr, bytes.len);
	s->used += bytes.len;
}

/*
 * All is written: opens the other end of the pipe, to look into it when the
 * program has ended.  Not sooner, as without a reader writing has to fail.
 */
static int
open_other_end(const struct submit *s, int fd)
{
	char path[32];

	if (!s->is_foreign || fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static bool
is_left_over(int *fd)
{
	int n = 0;
	bool left = *fd >= 0 && ioctl(*fd, FIONREAD, &n) == 0 && n > 0;

	io_close(fd);
	return left;
}

static void
put_record(struct submit *s, struct strv letter, struct strv address)
{
	/* Behind a NUL the address would go on as a record of its own. */
	if (strv_find(address, '\0') != STRV_NPOS)
		s->failed = true;
	put(s, s->envelope_fd, letter);
	put(s, s->envelope_fd, address);
	put(s, s->envelope_fd, STRV("\0"));
}

void
submit_message(struct submit *s, struct strv bytes)
{
	put(s, s->message_fd, bytes);
}

void
submit_sender(struct submit *s, struct strv sender)
{
	flush_to(s, s->message_fd);
	/* A cut message must never look like a whole one. */
	if (s->failed)
		io_close(&s->envelope_fd);
	s->message_left_fd = open_other_end(s, s->message_fd);
	io_close(&s->message_fd);
	put_record(s, STRV("F"), sender);
}

void
submit_recipient(struct submit *s, struct strv recipient)
{
	put_record(s, STRV("T"), recipient);
}

void
submit_close(struct submit *s, int64_t deadline_ms, struct submit_result *out)
{
	int status = 0;
	int r;

	if (deadline_ms < s->deadline_ms)
		s->deadline_ms = deadline_ms;
	if (s->message_fd >= 0)
		s->failed = true; /* there was no sender */
	put(s, s->envelope_fd, STRV("\0"));
	flush_to(s, s->envelope_fd);
	s->envelope_left_fd = open_other_end(s, s->envelope_fd);
	/* The envelope first: its early end tells the child to stop. */
	io_close(&s->envelope_fd);
	io_close(&s->message_fd);
	r = submit_child_wait(s, deadline_ms, &status);
	if (is_left_over(&s->message_left_fd))
		s->failed = true;
	if (is_left_over(&s->envelope_left_fd))
		s->failed = true;
	submit_child_result(s, r, status, out);
}

void
submit_abort(struct submit *s)
{
	int64_t deadline = submit_child_deadline(SUBMIT_ABORT_MS);
	int status;

	if (s->deadline_ms < deadline)
		deadline = s->deadline_ms;
	io_close(&s->envelope_fd);
	io_close(&s->message_fd);
	if (submit_child_wait(s, deadline, &status) != 0)
		s->failed = true;
}
