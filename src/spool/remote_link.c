/* Codec and transport of the resident qmail-remote's socket; see the header. */
#include "spool/remote_link.h"
#include "base/error.h"
#include "base/fdpass.h"

enum { RESULT_HEAD = 6 }; /* bytes of number and length */

int
remote_link_send(int fd, struct strv packet, int passed_fd)
{
	/* sendmsg(2) only reads, but its iovec is not const. */
	union {
		const char *in;
		void *out;
	} bytes = { .in = packet.ptr };
	struct iovec part = { bytes.out, packet.len };

	return fdpass_send(fd, &part, 1, passed_fd);
}

int
remote_link_receive(
    int fd, char *data, size_t cap, struct strv *packet, int *passed_fd)
{
	struct iovec part = { data, cap };
	size_t len;
	int r = fdpass_receive(fd, &part, 1, &len, passed_fd);

	if (r == 0)
		*packet = strv_from(data, len);
	return r;
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
