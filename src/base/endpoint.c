/* Local and TCP services, named in one line of a control file. */
#include "base/endpoint.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>

enum { PORT_MAX = 65535, SECOND_MS = 1000, MS_US = 1000 };

_Static_assert(ENDPOINT_PATH_MAX == sizeof(((struct sockaddr_un *)0)->sun_path),
    "a path is as long as the system takes it");

static int
parse_path(struct strv text, struct endpoint *out)
{
	if (strv_find(text, '\0') != STRV_NPOS)
		return QE_SYNTAX;
	if (text.len >= sizeof(out->path))
		return QE_LIMIT;
	memset(out, 0, sizeof(*out));
	memcpy(out->path, text.ptr, text.len);
	return 0;
}

int
endpoint_parse(struct strv text, struct endpoint *out)
{
	size_t colon = strv_rfind(text, ':');
	struct strv host = strv_head(text, colon);
	struct ipaddr ip;
	uint64_t port;

	if (text.len > 0 && text.ptr[0] == '/')
		return parse_path(text, out);
	if (colon == STRV_NPOS ||
	    strv_to_u64(strv_skip(text, colon + 1), PORT_MAX, &port) != 0 ||
	    port == 0 || ipaddr_parse(host, &ip) != 0)
		return QE_SYNTAX;
	/* Without brackets the last part could be of the address. */
	if (host.ptr[0] != '[' && strv_find(host, ':') != STRV_NPOS)
		return QE_SYNTAX;
	memset(out, 0, sizeof(*out));
	out->ip = ip;
	out->port = (uint16_t)port;
	return 0;
}

/* connect(2) to a local socket waits as long as a send may take. */
static int
connect_until(int fd, const struct sockaddr_un *name, int64_t deadline_ms)
{
	int r;

	do {
		int64_t left = deadline_ms == IO_FOREVER
				   ? 0
				   : deadline_ms - clock_mono_ms();
		struct timeval limit = { .tv_sec = (time_t)(left / SECOND_MS),
			.tv_usec = (suseconds_t)(left % SECOND_MS * MS_US) };

		if (deadline_ms != IO_FOREVER && left <= 0) {
			errno = ETIMEDOUT;
			return QE_TIMEOUT;
		}
		if (setsockopt(
			fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
			return QE_SYS;
		r = connect(fd, (const struct sockaddr *)name, sizeof(*name));
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EAGAIN ? QE_TIMEOUT : QE_SYS;
	return io_set_nonblocking(fd, true);
}

int
endpoint_connect_local(const char *path, int type, int64_t deadline_ms, int *fd)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int s, r;

	if (len == 0 || len >= sizeof(name.sun_path)) {
		errno = ENAMETOOLONG;
		return QE_LIMIT;
	}
	memcpy(name.sun_path, path, len);
	s = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (s < 0)
		return QE_SYS;
	r = connect_until(s, &name, deadline_ms);
	if (r != 0) {
		io_close(&s);
		return r;
	}
	*fd = s;
	return 0;
}

int
endpoint_connect(const struct endpoint *e, int64_t deadline_ms, int *fd)
{
	return e->path[0] == '\0' ? net_connect_start(&e->ip, e->port, fd)
				  : endpoint_connect_local(
					e->path, SOCK_STREAM, deadline_ms, fd);
}
