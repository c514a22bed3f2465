/* The client's side of qmail-realrcpt; see the header. */
#include "conf/mailbox_ask.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { MS = 1000 };

/* Each step may take the whole time; connect waits as long as send. */
static int
open_socket(int64_t timeout_ms, int *out)
{
	const struct timeval limit = { .tv_sec = (time_t)(timeout_ms / MS),
		.tv_usec = (suseconds_t)(timeout_ms % MS * MS) };
	const struct sockaddr_un name = { .sun_family = AF_UNIX,
		.sun_path = MAILBOX_SOCKET };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return QE_SYS;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) <
		0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) <
		0 ||
	    connect(fd, (const struct sockaddr *)&name, sizeof(name)) < 0) {
		io_close(&fd);
		return QE_SYS;
	}
	*out = fd;
	return 0;
}

static int
converse(int fd, struct strv local)
{
	char answer;
	ssize_t got;

	if (send(fd, local.ptr, local.len, MSG_NOSIGNAL) < 0)
		return QE_SYS;
	got = recv(fd, &answer, 1, 0);
	if (got < 0)
		return QE_SYS;
	if (got == 0) {
		errno = EPIPE;
		return QE_SYS;
	}
	switch (answer) {
	case MAILBOX_YES:
		return 0;
	case MAILBOX_NO:
		return QE_ABSENT;
	case MAILBOX_DEFERRED:
		return QE_TEMP;
	default:
		errno = EPROTO;
		return QE_SYS;
	}
}

int
mailbox_ask(struct strv local, int64_t timeout_ms)
{
	int fd = -1;
	int r;

	if (local.len == 0 || local.len > MAILBOX_LOCAL_MAX)
		return QE_LIMIT;
	r = open_socket(timeout_ms, &fd);
	if (r == 0)
		r = converse(fd, local);
	io_close(&fd);
	return r;
}
