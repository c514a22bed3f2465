/*
 * Asking the TLS process in front for a handshake (UCSPI-TLS).  The key and,
 * after the handshake, the socket are not here.
 */
#include "smtp/ucspi_tls.h"
#include "base/env.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { FD_MAX = 1 << 20 }; /* no descriptor of an environment is higher */

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

void
ucspi_tls_init(struct ucspi_tls *t)
{
	const char *wish = env_get("UCSPITLS");

	*t = (struct ucspi_tls){ .state = TLS_NONE,
		.control_fd = descriptor("SSLCTLFD"),
		.read_fd = descriptor("SSLREADFD"),
		.write_fd = descriptor("SSLWRITEFD") };
	if (env_get("SMTPS") != NULL) {
		t->state = has_front(t) ? TLS_IMPLICIT : TLS_ON;
		if (t->state == TLS_ON)
			tls_facts_from_environment(&t->facts);
		return;
	}
	if (wish != NULL && *wish == '!')
		t->state = TLS_REQUIRED;
	else if (wish != NULL && *wish != '-' && has_front(t))
		t->state = TLS_AVAILABLE;
}

bool
ucspi_tls_may_start(const struct ucspi_tls *t)
{
	return (t->state == TLS_AVAILABLE || t->state == TLS_REQUIRED) &&
	       has_front(t);
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

int
ucspi_tls_start(struct ucspi_tls *t, struct source *in, struct sink *out,
    int64_t deadline_ms)
{
	int r;

	if (!has_front(t)) {
		errno = EBADF;
		return QE_SYS;
	}
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
