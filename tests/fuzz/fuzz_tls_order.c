/* tls/order and tls/tickets: messages and files of any content. */
#include "base/error.h"
#include "fuzz.h"
#include "smtp/tls_order.h"
#include "tls/tickets.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
send_any(int to, struct strv text, size_t count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * 8)];
	} room = { .bytes = { 0 } };
	struct iovec part = { (void *)(uintptr_t)text.ptr, text.len };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int fds[8] = { 2, 2, 2, 2, 2, 2, 2, 2 };

	if (count > 0) {
		message.msg_control = room.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		room.header.cmsg_level = SOL_SOCKET;
		room.header.cmsg_type = SCM_RIGHTS;
		room.header.cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(&room.header), fds, sizeof(int) * count);
	}
	(void)sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
try_order(struct strv in)
{
	size_t count = fuzz_take(&in) % 9;
	struct tls_order order;
	int pair[2], before, after;

	require(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	before = dup(2);
	close(before);
	send_any(pair[0], strv_head(in, 4096), count);
	if (order_receive(pair[1], &order) == 0) {
		require(order.mode == ORDER_SOON ? count == 2 || count == 3
						 : count == 3 || count == 4);
		require(order.words_len <= sizeof(order.words));
		for (const char *p = order.peer; *p != '\0'; p++)
			require(*p > ' ' && *p < 127);
		order_close(&order);
	}
	/* Nothing that came along stays open. */
	after = dup(2);
	close(after);
	require(before == after);
	close(pair[0]);
	close(pair[1]);
}

static void
try_tickets(struct strv in)
{
	struct tickets t = { .count = 0 };
	unsigned char bytes[TICKETS_KEYS * TICKET_RECORD];
	int64_t now = (int64_t)1 << 40;
	size_t n;

	if (tickets_decode(&t, in.ptr, in.len, now) != 0)
		return;
	require(t.count <= TICKETS_KEYS);
	n = tickets_encode(&t, bytes);
	require(n <= in.len);
	if (n == in.len)
		require(n == 0 || memcmp(bytes, in.ptr, n) == 0 ||
			t.keys[0].created >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);

	try_order(in);
	try_tickets(in);
	return 0;
}
