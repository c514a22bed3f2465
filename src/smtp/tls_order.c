/* Descriptors in messages: what qmail-tls sends and qmail-tlsd believes. */
#include "smtp/tls_order.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { FDS_MIN = 3, FDS_MAX = 4 };

union ancillary {
	struct cmsghdr header; /* for its alignment */
	char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
};

/* Under tcpserver reading and writing are one socket. */
static bool
is_same(int a, int b)
{
	struct stat x, y;

	if (a == b)
		return true;
	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && S_ISSOCK(x.st_mode) &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int
order_send(int fd, const struct tls_order *order)
{
	const int fds[FDS_MAX] = { order->control, order->data, order->net_in,
		order->net_out };
	size_t count =
	    is_same(order->net_in, order->net_out) ? FDS_MIN : FDS_MAX;
	char mode = order->mode;
	char peer[ORDER_PEER_MAX];
	struct iovec parts[2] = {
		{&mode,                1            },
                { peer, strnlen(order->peer, sizeof(peer)) }
	};
	union ancillary room = { .bytes = { 0 } };
	struct msghdr message = { .msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = room.bytes,
		.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * count) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	ssize_t did;

	memcpy(peer, order->peer, sizeof(peer));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
	do
		did = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (did < 0 && errno == EINTR);
	if (did >= 0)
		return 0;
	return errno == EPIPE || errno == ECONNRESET ? QE_EOF : QE_SYS;
}

/* The descriptors of a message into fds; how many. */
static size_t
take_descriptors(struct msghdr *message, int fds[FDS_MAX])
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t count;

	if (header == NULL || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS)
		return 0;
	count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (count > FDS_MAX)
		count = FDS_MAX; /* there was no room for more */
	memcpy(fds, CMSG_DATA(header), count * sizeof(int));
	return count;
}

/* An address and nothing that could play with a log. */
static void
take_peer(struct tls_order *order, struct strv text)
{
	size_t n = 0;

	for (; n < text.len && n < sizeof(order->peer) - 1; n++) {
		char c = text.ptr[n];

		if (!ascii_is_digit(c) && !ascii_is_alpha(c) && c != '.' &&
		    c != ':')
			break;
		order->peer[n] = c;
	}
	order->peer[n] = '\0';
}

static bool
is_mode(char c)
{
	return c == ORDER_WAIT || c == ORDER_SOON || c == ORDER_NOW ||
	       c == ORDER_MUTE;
}

int
order_receive(int fd, struct tls_order *order)
{
	int fds[FDS_MAX] = { -1, -1, -1, -1 };
	char text[1 + ORDER_PEER_MAX];
	struct iovec part = { text, sizeof(text) };
	union ancillary room;
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof(room.bytes) };
	ssize_t got;
	size_t count;

	do
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return QE_SYS;
	count = take_descriptors(&message, fds);
	*order = (struct tls_order){ .control = fds[0],
		.data = fds[1],
		.net_in = fds[2],
		.net_out = count == FDS_MAX ? fds[3] : fds[2] };
	if (got == 0 && count == 0)
		return QE_EOF;
	if (got < 1 || count < FDS_MIN ||
	    (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0 ||
	    !is_mode(text[0])) {
		order_close(order);
		return QE_SYNTAX;
	}
	order->mode = text[0];
	take_peer(order, strv_from(text + 1, (size_t)got - 1));
	return 0;
}

void
order_close(struct tls_order *order)
{
	if (order->net_out == order->net_in)
		order->net_out = -1;
	io_close(&order->control);
	io_close(&order->data);
	io_close(&order->net_in);
	io_close(&order->net_out);
}
