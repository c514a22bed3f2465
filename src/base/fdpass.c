/* Descriptors from one process to another; see the header. */
#include "base/fdpass.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int
fdpass_send(int channel, struct iovec *parts, unsigned short count, int fd)
{
	union control control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = count };
	ssize_t did;

	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		did = sendmsg(channel, &m, MSG_NOSIGNAL);
	while (did < 0 && errno == EINTR);
	return did < 0 ? QE_SYS : 0;
}

/*
 * The descriptor that came with a packet, or -1.  There is room for more than
 * one in what the system pads to: others are closed, and it counts as wrong.
 */
static int
take_descriptor(struct msghdr *m, bool *wrong)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_RIGHTS)
		return -1;
	for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len;
	     at += sizeof(int)) {
		*wrong = *wrong || fd >= 0;
		io_close(&fd);
		memcpy(&fd, CMSG_DATA(c) + at, sizeof(int));
	}
	return fd;
}

int
fdpass_receive(int channel, struct iovec *parts, unsigned short count,
    size_t *len, int *fd)
{
	union control control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = count };
	bool wrong;
	ssize_t got;

	if (fd != NULL) {
		*fd = -1;
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
	}
	do
		got = recvmsg(channel, &m, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ECONNRESET ? QE_EOF : QE_SYS;
	wrong = (m.msg_flags & MSG_TRUNC) != 0 ||
		(fd != NULL && (m.msg_flags & MSG_CTRUNC) != 0);
	if (fd != NULL)
		*fd = take_descriptor(&m, &wrong);
	if (got > 0 && !wrong) {
		*len = (size_t)got;
		return 0;
	}
	if (fd != NULL)
		io_close(fd);
	return got == 0 ? QE_EOF : QE_SYNTAX;
}
