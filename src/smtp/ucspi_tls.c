/*
 * Asking the TLS process in front for a handshake (UCSPI-TLS).  The key and,
 * after the handshake, the socket are not here.
 */
#include "smtp/ucspi_tls.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/error.h"
#include "smtp/tls_order.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FD_MAX = 1 << 20,   /* no descriptor of an environment is higher */
	ANSWER_SECONDS = 20 /* for qmail-tlsd to take an order */
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

/* What "qmail-tls -r" has left for us. */
static int
way_to_tlsd(void)
{
	struct strv number = strv_of(env_get("QMAILTLS"));
	uint64_t n;
	int r;

	r = strv_to_u64(number, FD_MAX, &n);
	env_unset("QMAILTLS");
	if (r != 0 || n <= STDERR_FILENO ||
	    fcntl((int)n, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return (int)n;
}

/* Whether there is something that could do a handshake. */
static bool
has_way(const struct ucspi_tls *t)
{
	return has_front(t) || t->orders_fd >= 0;
}

void
ucspi_tls_init(struct ucspi_tls *t)
{
	const char *wish = env_get("UCSPITLS");

	*t = (struct ucspi_tls){ .state = TLS_NONE,
		.control_fd = descriptor("SSLCTLFD"),
		.read_fd = descriptor("SSLREADFD"),
		.write_fd = descriptor("SSLWRITEFD"),
		.orders_fd = way_to_tlsd() };
	if (env_get("SMTPS") != NULL) {
		t->state = has_way(t) ? TLS_IMPLICIT : TLS_ON;
		if (t->state == TLS_ON)
			tls_facts_from_environment(&t->facts);
		return;
	}
	if (wish != NULL && *wish == '!')
		t->state = TLS_REQUIRED;
	else if (wish == NULL ? t->orders_fd >= 0 : *wish != '-' && has_way(t))
		t->state = TLS_AVAILABLE;
	/* What will not be used is not kept at hand. */
	if (t->state == TLS_NONE)
		io_close(&t->orders_fd);
}

bool
ucspi_tls_may_start(const struct ucspi_tls *t)
{
	if (t->state != TLS_AVAILABLE && t->state != TLS_REQUIRED)
		return false;
	return has_front(t) ||
	       (t->orders_fd >= 0 && access(certificate, F_OK) == 0);
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

/* The front's descriptor in place of the socket's, which is given up. */
static int
replace(int *from, int to, bool keep_on_exec)
{
	int r = dup3(*from, to, keep_on_exec ? 0 : O_CLOEXEC);

	io_close(from);
	return r < 0 ? QE_SYS : 0;
}

/* Our ends of two pairs; qmail-tlsd gets the others and the client. */
static int
order(struct ucspi_tls *t, int in_fd, int out_fd)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC;
	struct tls_order o = {
		.mode = ORDER_SOON, .net_in = in_fd, .net_out = out_fd
	};
	const char *peer = env_get("TCPREMOTEIP");
	int control[2], data[2], r;

	if (socketpair(AF_UNIX, type, 0, control) < 0)
		return QE_SYS;
	if (socketpair(AF_UNIX, type, 0, data) < 0) {
		io_close(&control[0]);
		io_close(&control[1]);
		return QE_SYS;
	}
	snprintf(o.peer, sizeof(o.peer), "%s", peer == NULL ? "" : peer);
	o.control = control[1];
	o.data = data[1];
	r = order_send(t->orders_fd, &o);
	io_close(&control[1]);
	io_close(&data[1]);
	t->control_fd = control[0];
	t->read_fd = data[0];
	t->write_fd = fcntl(data[0], F_DUPFD_CLOEXEC, 0);
	return r == 0 && t->write_fd < 0 ? QE_SYS : r;
}

int
ucspi_tls_prepare(struct ucspi_tls *t, int in_fd, int out_fd)
{
	int64_t deadline = clock_deadline(ANSWER_SECONDS);
	char answer = ORDER_NO;
	int r;

	if (has_front(t))
		return 0;
	if (t->orders_fd < 0)
		return QE_ABSENT;
	r = order(t, in_fd, out_fd);
	if (r == 0)
		r = io_wait(t->control_fd, POLLIN, deadline);
	if (r == 0 && io_read(t->control_fd, &answer, 1) != 1)
		r = QE_EOF;
	if (r == 0 && answer == ORDER_YES)
		return 0;
	io_close(&t->control_fd);
	io_close(&t->read_fd);
	io_close(&t->write_fd);
	return r == 0 ? QE_ABSENT : r;
}

int
ucspi_tls_start(struct ucspi_tls *t, struct source *in, struct sink *out,
    int64_t deadline_ms)
{
	int r = ucspi_tls_prepare(t, in->fd, out->fd);

	if (r != 0)
		return r;
	io_close(&t->orders_fd);
	r = io_write_all(t->control_fd, "Y", 1);
	if (r != 0)
		return errno == EPIPE ? QE_EOF : r;
	r = tls_facts_read(t->control_fd, deadline_ms, &t->facts);
	if (r != 0)
		return r;
	io_close(&t->control_fd);
	r = replace(&t->read_fd, in->fd, in->fd <= STDERR_FILENO);
	if (r == 0)
		r = replace(&t->write_fd, out->fd, out->fd <= STDERR_FILENO);
	if (r != 0)
		return r;
	source_discard(in);
	in->eof = false;
	out->len = 0;
	t->state = TLS_ON;
	return tls_facts_to_environment(&t->facts);
}
