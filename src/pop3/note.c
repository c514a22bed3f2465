/* The word of a server to qmail-popup that a login was right; see header. */
#include "pop3/note.h"
#include "base/env.h"
#include "base/error.h"
#include "base/io.h"
#include "base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOTE_VARIABLE "POP3NOTE"

enum {
	NOTE_FD_LEAST = 10, /* above all that checkers use by number */
	NOTE_FD_MOST = 1023
};

static int
note_share(int *fd)
{
	char text[16];
	int shared = fcntl(*fd, F_DUPFD, NOTE_FD_LEAST);

	if (shared < 0)
		return QE_SYS;
	io_close(fd);
	*fd = shared;
	snprintf(text, sizeof(text), "%d", shared);
	return env_set(NOTE_VARIABLE, text);
}

int
note_open(int fds[2], bool wait)
{
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return QE_SYS;
	r = note_share(&fds[1]);
	if (r == 0 && !wait)
		r = io_write_all(fds[0], "g", 1);
	if (r != 0) {
		io_close(&fds[0]);
		io_close(&fds[1]);
	}
	return r;
}

int
note_wait(int fd, int64_t deadline_ms)
{
	char word;
	ssize_t got;
	int r = io_wait(fd, POLLIN, deadline_ms);

	if (r != 0)
		return r;
	got = io_read(fd, &word, 1);
	if (got < 0 && errno != ECONNRESET)
		return QE_SYS;
	return got == 1 ? 0 : QE_EOF;
}

void
note_answer(int fd)
{
	/* A server that has ended meanwhile is found out by its end. */
	if (io_write_all(fd, "g", 1) != 0)
		errno = 0;
}

bool
note_login(void)
{
	uint64_t number;
	bool answered;
	char word;
	int fd;

	if (strv_to_u64(
		strv_of(env_get(NOTE_VARIABLE)), NOTE_FD_MOST, &number) != 0 ||
	    number < NOTE_FD_LEAST)
		return true;
	env_unset(NOTE_VARIABLE);
	fd = (int)number;
	answered = io_write_all(fd, "y", 1) == 0 && io_read(fd, &word, 1) == 1;
	io_close(&fd);
	return answered;
}
