/* IP addresses of both families, and connections with deadlines. */
#ifndef BASE_NET_H
#define BASE_NET_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct ipaddr {
	int family;              /* AF_INET or AF_INET6 */
	unsigned char bytes[16]; /* network order; IPv4 uses the first four */
};

enum { IPADDR_TEXT_MAX = 46 };

/* IPv4 addresses mapped into IPv6 become what they stand for, everywhere. */
void ipaddr_set(struct ipaddr *ip, int family, const unsigned char *bytes);
/* "192.0.2.1", "2001:db8::1", each also in brackets, "[IPv6:...]" too. */
int ipaddr_parse(struct strv text, struct ipaddr *out); /* 0 or QE_SYNTAX */
void ipaddr_format(const struct ipaddr *ip, char out[IPADDR_TEXT_MAX]);
bool ipaddr_eq(const struct ipaddr *a, const struct ipaddr *b);
bool ipaddr_is_any(const struct ipaddr *ip); /* 0.0.0.0 or :: */

struct ipaddr_list {
	struct ipaddr *items; /* owned */
	size_t count, cap;
};

int ipaddr_list_add(struct ipaddr_list *list, const struct ipaddr *ip);
bool ipaddr_list_has(const struct ipaddr_list *l, const struct ipaddr *ip);
void ipaddr_list_free(struct ipaddr_list *list);
/* Addresses of all interfaces that are up, and 0.0.0.0 and ::. */
int ipaddr_list_own(struct ipaddr_list *list);

/*
 * The other way round; false for NULL and what is no address of the internet.
 * port may be NULL.
 */
bool net_from_sockaddr(
    const struct sockaddr *sa, struct ipaddr *ip, uint16_t *port);
/* Fills *out and returns the length that belongs to it. */
socklen_t net_sockaddr(
    const struct ipaddr *ip, uint16_t port, struct sockaddr_storage *out);

/*
 * Connects a close-on-exec, non-blocking TCP socket: 0 and *fd, QE_TIMEOUT,
 * or QE_SYS.  bind_to may be NULL.
 */
int net_connect(const struct ipaddr *ip, uint16_t port,
    const struct ipaddr *bind_to, int64_t deadline_ms, int *fd);
/* Does not wait: the socket becomes writable when it is connected or has
 * failed.  0 and *fd, or QE_SYS. */
int net_connect_start(const struct ipaddr *ip, uint16_t port, int *fd);

#endif
