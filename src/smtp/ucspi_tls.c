/*
 * Asking the TLS process in front for a handshake (UCSPI-TLS).  The key and,
 * after the handshake, the socket are not here.
 */
#include "smtp/ucspi_tls.h"
#include "base/env.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FD_MAX = 1 << 20,   /* no descriptor of an environment is higher */
	ANSWER_BYTES = 1024 /* of the answer and what follows, in one piece */
};

static const char certificate[] = "control/servercert.pem";

/* The descriptor that a variable names, from now on closed by exec; or -1. */
static int
descriptor(const char *name)
{
	uint64_t n;
	int r = strv_to_u64(strv_of(env_get(name)), FD_MAX, &n);

	env_unset(name);
	/* Our own standard descriptors are the client's, in clear. */
	if (r != 0 || n <= STDERR_FILENO ||
	    fcntl((int)n, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return (int)n;
}

static bool
has_front(const struct ucspi_tls *t)
{
	return t->control_fd >= 0 && t->read_fd >= 0 && t->write_fd >= 0;
}

/* Whether there is something that could do a handshake. */
static bool
has_way(const struct ucspi_tls *t)
{
	return has_front(t) || tls_way_is_there(&t->way);
}

void
ucspi_tls_init(struct ucspi_tls *t)
{
	const char *wish = env_get("UCSPITLS");

	*t = (struct ucspi_tls){ .state = TLS_NONE,
		.control_fd = descriptor("SSLCTLFD"),
		.read_fd = descriptor("SSLREADFD"),
		.write_fd = descriptor("SSLWRITEFD") };
	(void)tls_way_take(&t->way);
	if (env_get("SMTPS") != NULL) {
		t->state = has_way(t) ? TLS_IMPLICIT : TLS_ON;
		if (t->state == TLS_ON)
			tls_facts_from_environment(&t->facts);
		return;
	}
	if (wish != NULL && *wish == '!')
		t->state = TLS_REQUIRED;
	else if (wish == NULL ? tls_way_is_there(&t->way)
			      : *wish != '-' && has_way(t))
		t->state = TLS_AVAILABLE;
	/* What will not be used is not kept at hand. */
	if (t->state == TLS_NONE)
		tls_way_close(&t->way);
}

bool
ucspi_tls_may_start(const struct ucspi_tls *t)
{
	if (t->state != TLS_AVAILABLE && t->state != TLS_REQUIRED)
		return false;
	return has_front(t) ||
	       (tls_way_is_there(&t->way) && access(certificate, F_OK) == 0);
}

bool
ucspi_tls_is_required(const struct ucspi_tls *t)
{
	return t->state == TLS_REQUIRED;
}

bool
ucspi_tls_is_on(const struct ucspi_tls *t)
{
	return t->state == TLS_ON;
}

/* In place of the socket's, which is given up. */
static bool
replace(int from, int to)
{
	return dup3(from, to, to <= STDERR_FILENO ? 0 : O_CLOEXEC) >= 0;
}

/* From now on the client is behind TLS, and its socket is not ours. */
static int
adopt(struct ucspi_tls *t, struct source *in, struct sink *out)
{
	bool ok = replace(t->read_fd, in->fd) && replace(t->write_fd, out->fd);

	if (t->write_fd == t->read_fd)
		t->write_fd = -1;
	io_close(&t->read_fd);
	io_close(&t->write_fd);
	if (!ok)
		return QE_SYS;
	source_discard(in);
	in->eof = false;
	out->len = 0;
	t->state = TLS_ON;
	return tls_facts_to_environment(&t->facts);
}

/* With a front, which has made all descriptors. */
static int
ask_front(struct ucspi_tls *t, struct strv ready, struct source *in,
    struct sink *out, int64_t deadline_ms)
{
	int r =
	    ready.len == 0 ? 0 : io_write_all(out->fd, ready.ptr, ready.len);

	if (r == 0)
		r = io_write_all(t->control_fd, "Y", 1);
	if (r != 0)
		return errno == EPIPE ? QE_EOF : r;
	tls_way_close(&t->way);
	r = tls_facts_read(t->control_fd, deadline_ms, &t->facts);
	if (r != 0)
		return r;
	io_close(&t->control_fd);
	return adopt(t, in, out);
}

/* Our end of a pair; qmail-tlsd gets the other one and the client. */
static int
order(struct ucspi_tls *t, struct strv ready, int in_fd, int out_fd)
{
	struct tls_order o = { .mode = ORDER_SOON,
		.net_in = in_fd,
		.net_out = out_fd,
		.words_len = ready.len };
	const char *peer = env_get("TCPREMOTEIP");
	int pair[2], r;

	if (ready.len > sizeof(o.words) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return QE_SYS;
	snprintf(o.peer, sizeof(o.peer), "%s", peer == NULL ? "" : peer);
	if (ready.len > 0)
		memcpy(o.words, ready.ptr, ready.len);
	o.control = o.data = pair[1];
	r = tls_way_send(&t->way, &o);
	io_close(&pair[1]);
	t->read_fd = pair[0];
	return r;
}

/* Behind the answer come the facts, and what the client says behind these. */
static int
take_answer(struct ucspi_tls *t, struct source *from, int64_t deadline_ms)
{
	int r = source_fill(from, deadline_ms);

	if (r != 0)
		return r == QE_SYS && errno == ECONNRESET ? QE_EOF : r;
	if (*source_peek(from).ptr != ORDER_YES)
		return QE_ABSENT;
	source_take(from, 1);
	return tls_facts_take(from, deadline_ms, &t->facts);
}

static int
ask_tlsd(struct ucspi_tls *t, struct strv ready, struct source *in,
    struct sink *out, int64_t deadline_ms)
{
	struct source from;
	char bytes[ANSWER_BYTES];
	int r = order(t, ready, in->fd, out->fd);

	if (r != 0) {
		io_close(&t->read_fd);
		return QE_ABSENT;
	}
	source_init(&from, t->read_fd, bytes, sizeof(bytes));
	r = take_answer(t, &from, deadline_ms);
	if (r != 0) {
		io_close(&t->read_fd);
		return r;
	}
	tls_way_close(&t->way);
	t->write_fd = t->read_fd;
	r = adopt(t, in, out);
	if (r == 0 &&
	    source_replace(in, source_peek(&from)) < source_peek(&from).len)
		r = QE_LIMIT;
	/* It may have been a password. */
	explicit_bzero(bytes, sizeof(bytes));
	return r;
}

int
ucspi_tls_start(struct ucspi_tls *t, struct strv ready, struct source *in,
    struct sink *out, int64_t deadline_ms)
{
	if (has_front(t))
		return ask_front(t, ready, in, out, deadline_ms);
	if (!tls_way_is_there(&t->way))
		return QE_ABSENT;
	return ask_tlsd(t, ready, in, out, deadline_ms);
}

void
ucspi_tls_finish(const struct ucspi_tls *t, int out_fd)
{
	if (ucspi_tls_is_on(t))
		(void)shutdown(out_fd, SHUT_WR);
}
