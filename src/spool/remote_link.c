/* Codec and transport of the resident qmail-remote's socket; see the header. */
#include "spool/remote_link.h"
#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RESULT_HEAD = 6 }; /* bytes of number and length */

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int
remote_link_send(int fd, struct strv packet, int passed_fd)
{
	union control control = { .bytes = { 0 } };
	/* sendmsg(2) only reads, but its iovec is not const. */
	union {
		const char *in;
		void *out;
	} bytes = { .in = packet.ptr };
	struct iovec part = { bytes.out, packet.len };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t did;

	if (passed_fd >= 0) {
		struct cmsghdr *head;

		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &passed_fd, sizeof(int));
	}
	do
		did = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (did < 0 && errno == EINTR);
	return did < 0 ? QE_SYS : 0;
}

/* The one descriptor that there is room for, or -1. */
static int
taken_fd(struct msghdr *message)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (head != NULL && head->cmsg_level == SOL_SOCKET &&
	    head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(head), sizeof(int));
	return fd;
}

int
remote_link_receive(
    int fd, char *data, size_t cap, struct strv *packet, int *passed_fd)
{
	union control control;
	struct iovec part = { data, cap };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t got;

	if (passed_fd != NULL) {
		*passed_fd = -1;
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
	}
	do
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ECONNRESET ? QE_EOF : QE_SYS;
	if (passed_fd != NULL)
		*passed_fd = taken_fd(&message);
	if (got == 0)
		return QE_EOF;
	*packet = strv_from(data, (size_t)got);
	return (message.msg_flags & MSG_TRUNC) != 0 ? QE_SYNTAX : 0;
}

void
remote_link_add_text(struct buf *out, struct strv text)
{
	buf_add_view(out, text);
	buf_add_char(out, '\0');
}

void
remote_link_add_job(struct buf *out, struct strv host, struct strv sender)
{
	buf_add_char(out, REMOTE_LINK_JOB);
	remote_link_add_text(out, host);
	remote_link_add_text(out, sender);
}

int
remote_link_parse_job(struct strv packet, struct remote_job *out)
{
	struct strv rest = strv_skip(packet, 1), left;
	bool found = false;

	if (packet.len == 0 || packet.ptr[0] != REMOTE_LINK_JOB)
		return QE_SYNTAX;
	out->host = strv_cut(&rest, '\0', &found);
	if (found)
		out->sender = strv_cut(&rest, '\0', &found);
	out->recipients = rest;
	out->count = 0;
	for (left = rest; found && left.len > 0; out->count++)
		(void)strv_cut(&left, '\0', &found);
	if (!found || out->count == 0)
		return QE_SYNTAX;
	return out->count > REMOTE_LINK_RECIPIENTS_MAX ? QE_LIMIT : 0;
}

static void
add_little_endian(struct buf *out, uint64_t n, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buf_add_char(out, (char)(unsigned char)(n >> (8 * i) & 255));
}

static uint32_t
little_endian(const char *at, unsigned bytes)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < bytes; i++)
		n |= (uint32_t)(unsigned char)at[i] << (8 * i);
	return n;
}

void
remote_link_add_result(struct buf *packet, unsigned number, struct strv text)
{
	struct strv kept = strv_head(text, REMOTE_LINK_RESULT_MAX);

	add_little_endian(packet, number, 2);
	add_little_endian(packet, kept.len, 4);
	buf_add_view(packet, kept);
}

int
remote_link_next_result(struct strv *rest, unsigned *number, struct strv *text)
{
	struct strv body = strv_skip(*rest, RESULT_HEAD);
	size_t len;

	if (rest->len == 0)
		return QE_EOF;
	if (rest->len < RESULT_HEAD)
		return QE_SYNTAX;
	len = little_endian(rest->ptr + 2, 4);
	if (len > body.len || len > REMOTE_LINK_RESULT_MAX)
		return QE_SYNTAX;
	*number = little_endian(rest->ptr, 2);
	*text = strv_head(body, len);
	*rest = strv_skip(body, len);
	return 0;
}

void
remote_link_add_via(struct buf *out, struct strv exchanger)
{
	buf_add_char(out, REMOTE_LINK_VIA);
	remote_link_add_text(out, strv_head(exchanger, REMOTE_LINK_NAME_MAX));
}

int
remote_link_parse_via(struct strv packet, struct strv *exchanger)
{
	struct strv rest = strv_skip(packet, 1), name;
	bool found;

	if (packet.len == 0 || packet.ptr[0] != REMOTE_LINK_VIA)
		return QE_SYNTAX;
	name = strv_cut(&rest, '\0', &found);
	if (!found || rest.len > 0 || name.len > REMOTE_LINK_NAME_MAX)
		return QE_SYNTAX;
	*exchanger = name;
	return 0;
}

void
remote_link_add_end(struct buf *out, bool is_open, struct strv exchanger)
{
	buf_add_char(out, REMOTE_LINK_END);
	buf_add_char(
	    out, is_open ? REMOTE_LINK_IS_OPEN : REMOTE_LINK_IS_CLOSED);
	remote_link_add_text(out, strv_head(exchanger, REMOTE_LINK_NAME_MAX));
}

int
remote_link_parse_end(struct strv packet, bool *is_open, struct strv *exchanger,
    struct strv *results)
{
	struct strv rest = strv_skip(packet, 2);
	bool found;

	if (packet.len < 3 || packet.ptr[0] != REMOTE_LINK_END ||
	    (packet.ptr[1] != REMOTE_LINK_IS_OPEN &&
		packet.ptr[1] != REMOTE_LINK_IS_CLOSED))
		return QE_SYNTAX;
	*exchanger = strv_cut(&rest, '\0', &found);
	if (!found || exchanger->len > REMOTE_LINK_NAME_MAX)
		return QE_SYNTAX;
	*is_open = packet.ptr[1] == REMOTE_LINK_IS_OPEN;
	*results = rest;
	return 0;
}
