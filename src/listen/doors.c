/* Listening sockets of both families; see the header. */
#include "listen/doors.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

static bool
end_from(const struct sockaddr_storage *from, struct end *out)
{
	return net_from_sockaddr(
	    (const struct sockaddr *)from, &out->ip, &out->port);
}

static bool
has_ipv4(const struct settings *s)
{
	for (size_t i = 0; i < s->address_count; i++)
		if (s->addresses[i].family == AF_INET)
			return true;
	return false;
}

static int
try_open(const struct settings *s, const struct ipaddr *ip, int *fd)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	struct sockaddr_storage address;
	socklen_t len = net_sockaddr(ip, s->port, &address);
	int on = 1;
	/* "::" alone takes IPv4 in, too. */
	int only = has_ipv4(s);

	*fd = socket(ip->family, type, 0);
	if (*fd < 0)
		return QE_SYS;
	if (setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (ip->family == AF_INET6 &&
		setsockopt(
		    *fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0) ||
	    bind(*fd, (struct sockaddr *)&address, len) < 0 ||
	    listen(*fd, s->backlog) < 0) {
		io_close(fd);
		return QE_SYS;
	}
	return 0;
}

/* On a host without IPv6, any address means any of IPv4. */
static int
open_door(const struct settings *s, const struct ipaddr *ip)
{
	static const unsigned char zero[16];
	char text[IPADDR_TEXT_MAX];
	struct ipaddr any;
	int fd;

	if (try_open(s, ip, &fd) == 0)
		return fd;
	if (errno == EAFNOSUPPORT && ipaddr_is_any(ip) && !has_ipv4(s)) {
		ipaddr_set(&any, AF_INET, zero);
		if (try_open(s, &any, &fd) == 0)
			return fd;
	}
	ipaddr_format(ip, text);
	die_errno(EX_TEMPORARY, "unable to listen on %s port %u", text,
	    (unsigned)s->port);
}

/* The port of a door, which the system may have chosen. */
static void
print_port(int door)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	struct end end;

	if (getsockname(door, (struct sockaddr *)&address, &len) < 0 ||
	    !end_from(&address, &end))
		die_errno(EX_TEMPORARY, "unable to tell the port");
	if (printf("%u\n", (unsigned)end.port) < 0 || fflush(stdout) != 0)
		die_errno(EX_TEMPORARY, "unable to print the port");
}

size_t
doors_open(const struct settings *s, int fds[DOORS_MAX])
{
	for (size_t i = 0; i < s->address_count; i++) {
		fds[i] = open_door(s, &s->addresses[i]);
		if (s->print_port)
			print_port(fds[i]);
	}
	return s->address_count;
}

/* Of one client, who came and went, or whom a firewall keeps out. */
static bool
is_gone(int errnum)
{
	return errnum == EAGAIN || errnum == EINTR || errnum == ECONNABORTED ||
	       errnum == EPROTO || errnum == EPERM;
}

int
doors_accept(int door, struct client *out)
{
	struct sockaddr_storage local, remote;
	socklen_t local_len = sizeof(local), remote_len = sizeof(remote);

	out->fd = accept4(
	    door, (struct sockaddr *)&remote, &remote_len, SOCK_CLOEXEC);
	if (out->fd < 0)
		return is_gone(errno) ? QE_ABSENT : QE_SYS;
	if (getsockname(out->fd, (struct sockaddr *)&local, &local_len) == 0 &&
	    end_from(&local, &out->local) && end_from(&remote, &out->remote))
		return 0;
	io_close(&out->fd);
	return QE_ABSENT;
}
