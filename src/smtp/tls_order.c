/* Descriptors in messages: what qmail-tls sends and qmail-tlsd believes. */
#include "smtp/tls_order.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS_MAX = 4, TEXT_MAX = 1 + ORDER_PEER_MAX + ORDER_WORDS_MAX };

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

/* Those that go along, each of them once; how many. */
static size_t
list_descriptors(const struct tls_order *order, int fds[FDS_MAX])
{
	size_t count = 0;

	if (order->mode != ORDER_SOON)
		fds[count++] = order->control;
	fds[count++] = order->data;
	fds[count++] = order->net_in;
	if (!is_same(order->net_in, order->net_out))
		fds[count++] = order->net_out;
	return count;
}

/* Mode, peer and, behind a NUL, words; how long. */
static size_t
write_text(const struct tls_order *order, char text[TEXT_MAX])
{
	size_t n = strnlen(order->peer, ORDER_PEER_MAX - 1);

	*text++ = order->mode;
	memcpy(text, order->peer, n);
	if (order->words_len == 0)
		return 1 + n;
	text[n++] = '\0';
	memcpy(text + n, order->words, order->words_len);
	return 1 + n + order->words_len;
}

int
order_send(int fd, const struct tls_order *order)
{
	return order_send_to(fd, NULL, order);
}

int
order_send_to(
    int fd, const struct sockaddr_un *to, const struct tls_order *order)
{
	struct sockaddr_un name;
	int fds[FDS_MAX];
	char text[TEXT_MAX];
	size_t count = list_descriptors(order, fds);
	struct iovec part = { text, write_text(order, text) };
	union ancillary room = { .bytes = { 0 } };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * count) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	ssize_t did;

	if (to != NULL) {
		name = *to;
		message.msg_name = &name;
		message.msg_namelen = sizeof(name);
	}
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
	do
		did = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (did < 0 && errno == EINTR);
	if (did >= 0)
		return 0;
	return errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED
		   ? QE_EOF
		   : QE_SYS;
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

/* Behind the peer's NUL; what has none has no words. */
static void
take_words(struct tls_order *order, struct strv text)
{
	bool found;

	(void)strv_cut(&text, '\0', &found);
	if (!found || text.len > sizeof(order->words))
		return;
	memcpy(order->words, text.ptr, text.len);
	order->words_len = text.len;
}

/* Which descriptor is what; false if there are too few or too many. */
static bool
sort_descriptors(struct tls_order *order, const int fds[FDS_MAX], size_t count)
{
	size_t first = order->mode == ORDER_SOON ? 0 : 1;

	order->control = fds[0];
	order->data = fds[first];
	order->net_in = fds[first + 1];
	order->net_out = count == first + 3 ? fds[first + 2] : order->net_in;
	return count == first + 2 || count == first + 3;
}

static void
close_all(const int fds[FDS_MAX], size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

static bool
is_mode(char c)
{
	return c == ORDER_WAIT || c == ORDER_SOON || c == ORDER_NOW ||
	       c == ORDER_MUTE;
}

static int
receive(int fd, struct tls_order *order, int flags)
{
	int fds[FDS_MAX] = { -1, -1, -1, -1 };
	char text[TEXT_MAX];
	struct iovec part = { text, sizeof(text) };
	union ancillary room;
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof(room.bytes) };
	ssize_t got;
	size_t count;

	do
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | flags);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return QE_SYS;
	count = take_descriptors(&message, fds);
	if (got == 0 && count == 0)
		return QE_EOF;
	order->mode = got < 1 ? '\0' : text[0];
	order->words_len = 0;
	if ((message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0 ||
	    !is_mode(order->mode) || !sort_descriptors(order, fds, count)) {
		close_all(fds, count);
		return QE_SYNTAX;
	}
	take_peer(order, strv_from(text + 1, (size_t)got - 1));
	take_words(order, strv_from(text + 1, (size_t)got - 1));
	explicit_bzero(text, sizeof(text));
	return 0;
}

int
order_receive(int fd, struct tls_order *order)
{
	return receive(fd, order, MSG_DONTWAIT);
}

int
order_wait(int fd, struct tls_order *order)
{
	return receive(fd, order, 0);
}

void
order_close(struct tls_order *order)
{
	if (order->net_out == order->net_in)
		order->net_out = -1;
	if (order->data == order->control)
		order->data = -1;
	io_close(&order->control);
	io_close(&order->data);
	io_close(&order->net_in);
	io_close(&order->net_out);
}
