/*
 * qmail-qmqpc(8): takes the place of qmail-queue on a host without a queue:
 * the message on descriptor 0, with the envelope on 1, goes to the first
 * server of control/qmqpservers that answers.
 *
 * Never prints.  Both are read before anything is sent, as QMQP wants the
 * length of all first.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "mail/netstring.h"
#include "qmtp/servers.h"
#include "qmtp/wire.h"
#include "spool/envelope_stream.h"
#include "spool/queue.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
	CONNECT_SECONDS = 10,
	EXCHANGE_SECONDS = 60, /* for each write and for the reply */
	ENVELOPE_MAX = 64 << 20,
	READ_BYTES = 65536,
	REPLY_MAX = 8192,
	HEAD_MAX = 32 /* digits and a colon */
};

static int
read_all(int fd, struct buf *out)
{
	for (;;) {
		char *to = buf_reserve(out, READ_BYTES);
		ssize_t got;

		if (to == NULL)
			return QQ_NOMEM;
		got = io_read(fd, to, READ_BYTES);
		if (got < 0)
			return QQ_READ;
		if (got == 0)
			return 0;
		out->len += (size_t)got;
	}
}

/* As it comes, to netstrings: sender, recipients. */
static int
take_envelope(struct strv in, struct buf *out)
{
	struct envelope_stream stream = { .complete = false };
	struct strv rest, text;
	char letter;
	size_t used;
	int r = envelope_stream_feed(&stream, in, &used);

	if (r == QE_LIMIT)
		return QQ_ADDRESS_TOO_LONG;
	if (r != 0)
		return QQ_ENVELOPE;
	if (!stream.complete)
		return QQ_READ;
	for (rest = strv_head(in, used); rest.len > 0;) {
		if (record_next(&rest, &letter, &text) != 0)
			return QQ_ENVELOPE;
		netstring_add(out, text);
	}
	return out->err == 0 ? 0 : QQ_NOMEM;
}

/* 0 and *fd, or what to exit with. */
static int
connect_any(const struct qmqp_servers *servers, int *fd)
{
	int code = QQ_CONFIG;

	for (size_t i = 0; i < servers->count; i++) {
		const struct qmqp_server *server = &servers->items[i];
		int r = net_connect(&server->ip, server->port, NULL,
		    clock_deadline(CONNECT_SECONDS), fd);

		if (r == 0)
			return 0;
		code = r == QE_TIMEOUT || errno == ETIMEDOUT
			   ? QQ_CONNECT_TIMEOUT
			   : QQ_CONNECT_REFUSED;
	}
	return code;
}

static int
find_server(int *fd)
{
	struct control_error err;
	struct control_set set;
	struct qmqp_servers servers;
	unsigned line;
	int r;

	if (control_set_load(CTL_QMQPSERVERS, &set, &err) != 0)
		return QQ_CONFIG;
	r = servers_take(&set, &servers, &line);
	control_set_free(&set);
	return r == 0 ? connect_any(&servers, fd) : QQ_CONFIG;
}

static int
send_all(struct wire *w, struct strv message, struct strv envelope)
{
	char inner[HEAD_MAX], outer[HEAD_MAX];
	int n = snprintf(inner, sizeof(inner), "%zu:", message.len);

	snprintf(outer, sizeof(outer),
	    "%zu:", (size_t)n + message.len + 1 + envelope.len);
	w->out.timeout_ms = EXCHANGE_SECONDS * INT64_C(1000);
	sink_put_str(&w->out, outer);
	sink_put_str(&w->out, inner);
	sink_put_view(&w->out, message);
	sink_put_str(&w->out, ",");
	sink_put_view(&w->out, envelope);
	sink_put_str(&w->out, ",");
	return sink_flush(&w->out);
}

static int
exchange(int fd, struct strv message, struct strv envelope)
{
	static struct wire w;
	struct buf reply = BUF_LIMIT(REPLY_MAX);
	int code = QQ_COMMUNICATION;

	wire_init(&w, fd, fd);
	if (send_all(&w, message, envelope) != 0)
		return QQ_COMMUNICATION;
	w.end_ms = clock_deadline(EXCHANGE_SECONDS);
	if (wire_text(&w, &reply) == 0 && reply.len > 0)
		code = reply.data[0] == 'K'   ? QQ_OK
		       : reply.data[0] == 'Z' ? QQ_REFUSED_TEMP
		       : reply.data[0] == 'D' ? QQ_REFUSED_PERM
					      : QQ_COMMUNICATION;
	buf_free(&reply);
	return code;
}

int
main(void)
{
	static const struct program program = { .name = "qmail-qmqpc",
		.umask = 077 };
	struct buf message = BUF_LIMIT(WIRE_LENGTH_MAX);
	struct buf raw = BUF_LIMIT(ENVELOPE_MAX);
	struct buf envelope = BUF_LIMIT(2 * ENVELOPE_MAX);
	int fd = -1;
	int code;

	program_begin(&program);
	if (chdir(program_home()) < 0)
		return QQ_CHDIR_HOME;
	code = read_all(0, &message);
	if (code == 0)
		code = read_all(1, &raw);
	if (code == 0)
		code = take_envelope(buf_view(&raw), &envelope);
	buf_free(&raw);
	/* Only now: a caller that gives up is no business of a server's. */
	if (code == 0)
		code = find_server(&fd);
	if (code == 0)
		code = exchange(fd, buf_view(&message), buf_view(&envelope));
	io_close(&fd);
	return code;
}
