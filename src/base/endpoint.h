/* Where a service of this host or net listens: ip:port, [ipv6]:port, /path. */
#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H

#include "base/net.h"

#include <stdint.h>

enum { ENDPOINT_PATH_MAX = 108 }; /* bytes of a path, its NUL included */

struct endpoint {
	char path[ENDPOINT_PATH_MAX]; /* of a local socket; "": ip and port */
	struct ipaddr ip;
	uint16_t port;
};

/* 0; QE_SYNTAX; QE_LIMIT (the path is too long for a socket). */
int endpoint_parse(struct strv text, struct endpoint *out);

/*
 * Opens a close-on-exec, non-blocking stream socket to it.  0 and *fd;
 * QE_TIMEOUT; QE_SYS.
 *
 * A local socket is connected then, and waits until the deadline for a place
 * among those that the listener has still to take.  TCP is on its way: what
 * becomes of it shows when the socket is written to (EAGAIN until then).
 */
int endpoint_connect(const struct endpoint *e, int64_t deadline_ms, int *fd);

/*
 * The same to a local socket of this type (SOCK_STREAM, SOCK_SEQPACKET).
 * QE_LIMIT: the path is empty, or too long for one.  errno tells why, whatever
 * fails.
 */
int endpoint_connect_local(
    const char *path, int type, int64_t deadline_ms, int *fd);

#endif
