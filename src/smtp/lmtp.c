/*
 * LMTP as a client (RFC 2033).  Commands and replies go in lockstep: the
 * server is on this host or next to it, and one outcome is easy to be sure of.
 */
#include "smtp/lmtp.h"
#include "base/clock.h"
#include "base/dns.h"
#include "base/endpoint.h"
#include "base/error.h"
#include "base/io.h"
#include "mail/address.h"
#include "smtp/dot.h"
#include "smtp/reply.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LMTP_BLOCK = 16 * 1024,
	LMTP_COMMAND_MAX = 8 * 1024,
	LMTP_READ_BUFFER = 4096,
	LMTP_PORT_MAX = 65535
};

struct conversation {
	const struct lmtp_times *times;
	int64_t end_ms;
	int fd;
	int code; /* of the last reply */
	struct source in;
	struct buf *text;
	char in_data[LMTP_READ_BUFFER];
};

int
lmtp_server_parse(struct strv text, struct lmtp_server *out)
{
	struct strv host = text, port;
	uint64_t number = 0;
	size_t colon;

	if (text.len == 0 || strv_find(text, '\0') != STRV_NPOS)
		return QE_SYNTAX;
	if (text.ptr[0] != '/') {
		colon = strv_rfind(text, ':');
		if (colon == STRV_NPOS || colon == 0)
			return QE_SYNTAX;
		host = strv_head(text, colon);
		port = strv_skip(text, colon + 1);
		if (strv_to_u64(port, LMTP_PORT_MAX, &number) != 0 ||
		    number == 0)
			return QE_SYNTAX;
		/* An IPv6 address without brackets has lost its last part. */
		if (host.ptr[0] != '[' && strv_find(host, ':') != STRV_NPOS)
			return QE_SYNTAX;
	}
	if (host.len > LMTP_HOST_MAX)
		return QE_LIMIT;
	memcpy(out->host, host.ptr, host.len);
	out->host[host.len] = '\0';
	out->port = (uint16_t)number;
	return 0;
}

static int64_t
deadline(const struct conversation *c, int64_t ms)
{
	int64_t d = clock_mono_ms() + ms;

	return d < c->end_ms ? d : c->end_ms;
}

/* -- connecting ------------------------------------------------------------ */

static enum lmtp_outcome
connect_path(struct conversation *c, const char *path)
{
	int64_t until = deadline(c, c->times->connect_ms);

	return endpoint_connect_local(path, SOCK_STREAM, until, &c->fd) == 0
		   ? LMTP_DELIVERED
		   : LMTP_CONNECT;
}

/* "localhost" needs no name server, and is in none. */
static enum lmtp_outcome
find_addresses(
    struct conversation *c, const char *host, struct ipaddr_list *list)
{
	static const unsigned char loopback[4] = { 127, 0, 0, 1 };
	struct strv name = strv_of(host);
	struct dns *dns = NULL;
	struct ipaddr ip;
	int r;

	if (strv_eq_nocase(name, STRV("localhost")))
		ipaddr_set(&ip, AF_INET, loopback);
	if (strv_eq_nocase(name, STRV("localhost")) ||
	    ipaddr_parse(name, &ip) == 0)
		return ipaddr_list_add(list, &ip) == 0 ? LMTP_DELIVERED
						       : LMTP_NOMEM;
	r = dns_open(STRV_EMPTY, c->times->connect_ms, &dns);
	if (r == 0)
		r = dns_addresses(dns, name, AF_UNSPEC, list);
	dns_close(&dns);
	return r == 0 && list->count > 0 ? LMTP_DELIVERED : LMTP_NO_HOST;
}

static enum lmtp_outcome
connect_host(struct conversation *c, const struct lmtp_server *server)
{
	struct ipaddr_list list = { .count = 0 };
	enum lmtp_outcome outcome = find_addresses(c, server->host, &list);
	int r = QE_SYS;

	for (size_t i = 0; r != 0 && i < list.count; i++)
		r = net_connect(&list.items[i], server->port, NULL,
		    deadline(c, c->times->connect_ms), &c->fd);
	if (outcome == LMTP_DELIVERED && r != 0) {
		if (r == QE_TIMEOUT)
			errno = ETIMEDOUT;
		outcome = LMTP_CONNECT;
	}
	ipaddr_list_free(&list);
	return outcome;
}

/* -- talking --------------------------------------------------------------- */

static bool
say(struct conversation *c, struct buf *bytes)
{
	struct sink sink;
	int r = bytes->err;

	sink_init(&sink, c->fd, NULL, 0);
	sink.timeout_ms = c->times->reply_ms;
	sink.end_ms = c->end_ms;
	if (r == 0 && bytes->len > 0)
		r = sink_put_view(&sink, buf_view(bytes));
	buf_reset(bytes);
	return r == 0;
}

/* Takes a reply and judges it: wanted is the first digit of its code. */
static enum lmtp_outcome
hear(struct conversation *c, int64_t ms, int wanted, enum lmtp_outcome silent)
{
	int r = reply_read(&c->in, deadline(c, ms), &c->code, c->text);

	if (r == QE_SYNTAX)
		return LMTP_DEFERRED;
	if (r != 0)
		return silent;
	if (c->code / 100 == wanted)
		return LMTP_DELIVERED;
	return c->code / 100 == 5 ? LMTP_REFUSED : LMTP_DEFERRED;
}

static enum lmtp_outcome
command(struct conversation *c, const char *verb, struct strv argument,
    bool is_path, int wanted)
{
	struct buf line = BUF_LIMIT(LMTP_COMMAND_MAX);
	bool said;

	buf_add_str(&line, verb);
	if (is_path)
		address_add_quoted(&line, argument);
	else
		buf_add_view(&line, argument);
	buf_add_str(&line, is_path ? ">\r\n" : "\r\n");
	if (line.err != 0) {
		buf_free(&line);
		return LMTP_ADDRESS;
	}
	said = say(c, &line);
	buf_free(&line);
	return said ? hear(c, c->times->reply_ms, wanted, LMTP_DIED)
		    : LMTP_DIED;
}

static enum lmtp_outcome
send_body(struct conversation *c, const struct lmtp_message *m)
{
	struct buf wire = BUF_LIMIT(4 * LMTP_BLOCK);
	char block[LMTP_BLOCK];
	struct dot_encoder encoder;
	enum lmtp_outcome outcome = LMTP_DELIVERED;
	off_t offset = 0;
	ssize_t got = 1;

	dot_encoder_init(&encoder);
	dot_encode(&encoder, m->prefix, &wire);
	while (outcome == LMTP_DELIVERED && got > 0) {
		do
			got = pread(m->fd, block, sizeof(block), offset);
		while (got < 0 && errno == EINTR);
		if (got < 0)
			outcome = LMTP_READ;
		if (got > 0)
			dot_encode(
			    &encoder, strv_from(block, (size_t)got), &wire);
		offset += got;
		if (got == 0) {
			dot_encode_end(&encoder, &wire);
			buf_add_str(&wire, ".\r\n");
		}
		if (got >= 0 && !say(c, &wire))
			outcome = LMTP_DIED;
	}
	buf_free(&wire);
	return outcome;
}

static enum lmtp_outcome
converse(struct conversation *c, const struct lmtp_message *m)
{
	enum lmtp_outcome o = hear(c, c->times->reply_ms, 2, LMTP_DIED);

	if (o == LMTP_DELIVERED)
		o = command(c, "LHLO ", m->my_name, false, 2);
	/* So far it is about the two of us: no reason to bounce mail. */
	if (o == LMTP_REFUSED)
		return LMTP_DEFERRED;
	if (o == LMTP_DELIVERED)
		o = command(c, "MAIL FROM:<", m->sender, true, 2);
	if (o == LMTP_DELIVERED)
		o = command(c, "RCPT TO:<", m->recipient, true, 2);
	if (o == LMTP_DELIVERED)
		o = command(c, "DATA", STRV_EMPTY, false, 3);
	if (o == LMTP_DELIVERED)
		o = send_body(c, m);
	/* One recipient, one reply. */
	if (o == LMTP_DELIVERED)
		o = hear(c, c->times->final_ms, 2, LMTP_DIED_LATE);
	return o;
}

static void
finish(struct conversation *c, enum lmtp_outcome o)
{
	static const char quit[] = "QUIT\r\n";
	int saved = errno;

	/* In the middle of a body QUIT would be a part of it. */
	if (c->fd >= 0 &&
	    (o == LMTP_DELIVERED || o == LMTP_REFUSED || o == LMTP_DEFERRED) &&
	    send(c->fd, quit, sizeof(quit) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) <
		0)
		errno = saved;
	io_close(&c->fd);
	errno = saved;
}

enum lmtp_outcome
lmtp_deliver(const struct lmtp_server *server, const struct lmtp_message *m,
    const struct lmtp_times *times, struct buf *text)
{
	static const struct lmtp_times usual = { LMTP_CONNECT_MS, LMTP_REPLY_MS,
		LMTP_FINAL_MS, LMTP_TOTAL_MS };
	struct conversation c = { .fd = -1, .text = text };
	enum lmtp_outcome o;

	if (address_breaks_path(m->sender) || address_breaks_path(m->recipient))
		return LMTP_ADDRESS;
	c.times = times == NULL ? &usual : times;
	c.end_ms = clock_mono_ms() + c.times->total_ms;
	o = server->port == 0 ? connect_path(&c, server->host)
			      : connect_host(&c, server);
	if (o == LMTP_DELIVERED) {
		source_init(&c.in, c.fd, c.in_data, sizeof(c.in_data));
		o = converse(&c, m);
	}
	if (o == LMTP_DIED || o == LMTP_DIED_LATE || o == LMTP_READ)
		buf_reset(text);
	finish(&c, o);
	return o;
}
