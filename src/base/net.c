/*
 * IP addresses of both families, the addresses of this host, and TCP
 * connections with a deadline.
 *
 * No name service: addresses come as text or bytes, so that statically linked
 * programs may use all of this.
 */
#include "base/net.h"

#include "base/error.h"
#include "base/io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IPV4_BYTES = 4, IPV6_BYTES = 16, LIST_FIRST = 8, LIST_MAX = 1 << 16 };

static size_t
family_bytes(int family)
{
	return family == AF_INET ? IPV4_BYTES : IPV6_BYTES;
}

void
ipaddr_set(struct ipaddr *ip, int family, const unsigned char *bytes)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(ip, 0, sizeof(*ip));
	if (family == AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		family = AF_INET;
		bytes += sizeof(mapped);
	}
	ip->family = family;
	memcpy(ip->bytes, bytes, family_bytes(family));
}

int
ipaddr_parse(struct strv text, struct ipaddr *out)
{
	static const struct strv tag = { "IPv6:", 5 };
	unsigned char bytes[IPV6_BYTES];
	char copy[IPADDR_TEXT_MAX];
	bool only_v6 = false;
	int family;

	if (text.len >= 2 && text.ptr[0] == '[' &&
	    text.ptr[text.len - 1] == ']') {
		text = strv_from(text.ptr + 1, text.len - 2);
		only_v6 = strv_starts_nocase(text, tag);
		if (only_v6)
			text = strv_skip(text, tag.len);
	}
	if (text.len == 0 || text.len >= sizeof(copy) ||
	    memchr(text.ptr, '\0', text.len) != NULL)
		return QE_SYNTAX;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	family = strchr(copy, ':') == NULL ? AF_INET : AF_INET6;
	if ((only_v6 && family == AF_INET) ||
	    inet_pton(family, copy, bytes) != 1)
		return QE_SYNTAX;
	ipaddr_set(out, family, bytes);
	return 0;
}

void
ipaddr_format(const struct ipaddr *ip, char out[IPADDR_TEXT_MAX])
{
	if (inet_ntop(ip->family, ip->bytes, out, IPADDR_TEXT_MAX) == NULL)
		memcpy(out, "?", sizeof("?"));
}

bool
ipaddr_eq(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, family_bytes(a->family)) == 0;
}

bool
ipaddr_is_any(const struct ipaddr *ip)
{
	static const unsigned char zero[IPV6_BYTES];

	return memcmp(ip->bytes, zero, family_bytes(ip->family)) == 0;
}

int
ipaddr_list_add(struct ipaddr_list *list, const struct ipaddr *ip)
{
	struct ipaddr *more;
	size_t cap;

	if (list->count == list->cap) {
		cap = list->cap == 0 ? LIST_FIRST : list->cap * 2;
		if (cap > LIST_MAX)
			return QE_LIMIT;
		more = realloc(list->items, cap * sizeof(*more));
		if (more == NULL)
			return QE_NOMEM;
		list->items = more;
		list->cap = cap;
	}
	list->items[list->count++] = *ip;
	return 0;
}

bool
ipaddr_list_has(const struct ipaddr_list *list, const struct ipaddr *ip)
{
	for (size_t i = 0; i < list->count; i++)
		if (ipaddr_eq(&list->items[i], ip))
			return true;
	return false;
}

void
ipaddr_list_free(struct ipaddr_list *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}

bool
net_from_sockaddr(const struct sockaddr *sa, struct ipaddr *ip, uint16_t *port)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	in_port_t at;

	if (sa == NULL)
		return false;
	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		ipaddr_set(ip, AF_INET, (unsigned char *)&v4.sin_addr);
		at = v4.sin_port;
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&v6, sa, sizeof(v6));
		ipaddr_set(ip, AF_INET6, v6.sin6_addr.s6_addr);
		at = v6.sin6_port;
	} else {
		return false;
	}
	if (port != NULL)
		*port = ntohs(at);
	return true;
}

socklen_t
net_sockaddr(
    const struct ipaddr *ip, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	memset(out, 0, sizeof(*out));
	if (ip->family == AF_INET) {
		v4.sin_port = htons(port);
		memcpy(&v4.sin_addr, ip->bytes, IPV4_BYTES);
		memcpy(out, &v4, sizeof(v4));
		return sizeof(v4);
	}
	v6.sin6_port = htons(port);
	memcpy(&v6.sin6_addr, ip->bytes, IPV6_BYTES);
	memcpy(out, &v6, sizeof(v6));
	return sizeof(v6);
}

int
ipaddr_list_own(struct ipaddr_list *list)
{
	static const unsigned char zero[IPV6_BYTES];
	struct ifaddrs *all, *one;
	struct ipaddr ip;
	int r;

	ipaddr_set(&ip, AF_INET, zero);
	r = ipaddr_list_add(list, &ip);
	ipaddr_set(&ip, AF_INET6, zero);
	if (r == 0)
		r = ipaddr_list_add(list, &ip);
	if (r < 0)
		return r;
	if (getifaddrs(&all) < 0)
		return QE_SYS;
	for (one = all; one != NULL && r == 0; one = one->ifa_next)
		if ((one->ifa_flags & IFF_UP) != 0 &&
		    net_from_sockaddr(one->ifa_addr, &ip, NULL))
			r = ipaddr_list_add(list, &ip);
	freeifaddrs(all);
	return r;
}

/* Waits until the connection stands or has failed. */
static int
finish_connect(int fd, int64_t deadline_ms)
{
	socklen_t len = sizeof(int);
	int failure = 0;
	int r = io_wait(fd, POLLOUT, deadline_ms);

	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0)
		return QE_SYS;
	errno = failure;
	if (failure == ETIMEDOUT)
		return QE_TIMEOUT;
	return failure == 0 ? 0 : QE_SYS;
}

static int
start_connect(int fd, const struct ipaddr *ip, uint16_t port,
    const struct ipaddr *bind_to)
{
	struct sockaddr_storage address;
	socklen_t len;
	int on = 1;

	/* Callers write whole commands; Nagle would only hold back the last
	 * piece of each message.  A failure costs speed, nothing else. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind_to != NULL) {
		len = net_sockaddr(bind_to, 0, &address);
		if (bind(fd, (struct sockaddr *)&address, len) < 0)
			return QE_SYS;
	}
	len = net_sockaddr(ip, port, &address);
	/* An interrupted connect(2) goes on as one that is in progress. */
	if (connect(fd, (struct sockaddr *)&address, len) < 0 &&
	    errno != EINPROGRESS && errno != EINTR)
		return QE_SYS;
	return 0;
}

int
net_connect_start(const struct ipaddr *ip, uint16_t port, int *fd)
{
	int s =
	    socket(ip->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (s < 0)
		return QE_SYS;
	if (start_connect(s, ip, port, NULL) != 0) {
		io_close(&s);
		return QE_SYS;
	}
	*fd = s;
	return 0;
}

int
net_connect(const struct ipaddr *ip, uint16_t port,
    const struct ipaddr *bind_to, int64_t deadline_ms, int *fd)
{
	int s =
	    socket(ip->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (s < 0)
		return QE_SYS;
	r = start_connect(s, ip, port, bind_to);
	if (r == 0)
		r = finish_connect(s, deadline_ms);
	if (r < 0) {
		io_close(&s);
		return r;
	}
	*fd = s;
	return 0;
}
