/* Packets between the processes of qmail-scand; see the header. */
#include "scan/wire.h"
#include "base/error.h"
#include "base/fdpass.h"

#include <string.h>
#include <sys/socket.h>

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

	text = strv_head(text, WIRE_TEXT_MAX);
	packet[0] = kind;
	if (text.len > 0)
		memcpy(packet + 1, text.ptr, text.len);
	part.iov_len = 1 + text.len;
	return fdpass_send(channel, &part, 1, fd);
}

int
wire_receive(int channel, struct wire_message *out)
{
	struct iovec parts[2] = {
		{.iov_base = &out->kind, .iov_len = 1            },
		{ .iov_base = out->text, .iov_len = WIRE_TEXT_MAX}
	};
	size_t len;
	int r = fdpass_receive(channel, parts, 2, &len, &out->fd);

	if (r == 0)
		out->len = len - 1;
	return r;
}
