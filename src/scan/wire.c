/* Packets between the processes of qmail-scand; see the header. */
#include "scan/wire.h"
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
wire_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0
		   ? QE_SYS
		   : 0;
}

int
wire_send(int channel, char kind, struct strv text, int fd)
{
	char packet[1 + WIRE_TEXT_MAX];
	struct iovec part = { .iov_base = packet };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	union control control;
	struct cmsghdr *c;
	ssize_t did;

	text = strv_head(text, WIRE_TEXT_MAX);
	packet[0] = kind;
	if (text.len > 0)
		memcpy(packet + 1, text.ptr, text.len);
	part.iov_len = 1 + text.len;
	memset(&control, 0, sizeof(control));
	if (fd >= 0) {
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
wire_receive(int channel, struct wire_message *out)
{
	struct iovec parts[2] = {
		{.iov_base = &out->kind, .iov_len = 1            },
		{ .iov_base = out->text, .iov_len = WIRE_TEXT_MAX}
	};
	union control control;
	struct msghdr m = { .msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	bool wrong;
	ssize_t got;

	memset(&control, 0, sizeof(control));
	do
		got = recvmsg(channel, &m, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	out->fd = -1;
	if (got < 0)
		return errno == ECONNRESET ? QE_EOF : QE_SYS;
	if (got == 0)
		return QE_EOF;
	wrong = (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
	out->fd = take_descriptor(&m, &wrong);
	out->len = (size_t)got - 1;
	if (!wrong)
		return 0;
	io_close(&out->fd);
	return QE_SYNTAX;
}
