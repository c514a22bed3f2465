/*
 * LMTP as a client (RFC 2033): one message, one recipient, one connection.
 *
 * The server is a stranger: every wait has an end, every reply is parsed, and
 * only a 2xx after the final dot counts as delivered.
 */
#ifndef SMTP_LMTP_H
#define SMTP_LMTP_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	LMTP_HOST_MAX = 255, /* bytes of a host name, or of a socket's path */
	LMTP_CONNECT_MS = 30 * 1000,
	LMTP_REPLY_MS = 300 * 1000, /* a whole reply, or a whole write */
	LMTP_FINAL_MS = 600 * 1000, /* the reply after the final dot */
	LMTP_TOTAL_MS = 3600 * 1000
};

struct lmtp_server {
	char host[LMTP_HOST_MAX + 1]; /* a path if it begins with '/' */
	uint16_t port;                /* 0 for a path */
};

/*
 * "/path", "host:port", "192.0.2.1:port", "[2001:db8::1]:port".  0, QE_SYNTAX,
 * QE_LIMIT (name too long).
 */
int lmtp_server_parse(struct strv text, struct lmtp_server *out);

struct lmtp_message {
	struct strv my_name; /* for LHLO */
	struct strv sender;
	struct strv recipient;
	struct strv prefix; /* lines in front of the message, LF ends */
	int fd;             /* the message, read from offset 0 on */
};

struct lmtp_times {
	int64_t connect_ms, reply_ms, final_ms, total_ms;
};

enum lmtp_outcome {
	LMTP_DELIVERED,
	LMTP_REFUSED,   /* 5xx: text is the reply */
	LMTP_DEFERRED,  /* 4xx, or a reply that makes no sense: text too */
	LMTP_NO_HOST,   /* no address for the name */
	LMTP_CONNECT,   /* errno */
	LMTP_DIED,      /* end or silence in the middle */
	LMTP_DIED_LATE, /* after the final dot: it may have been delivered */
	LMTP_READ,      /* our message cannot be read; errno */
	LMTP_ADDRESS,   /* an address that no command can hold */
	LMTP_NOMEM
};

/*
 * Connects and delivers.  text gets the reply that decided, LF line ends, or
 * stays empty.  times may be NULL: the limits above.
 */
enum lmtp_outcome lmtp_deliver(const struct lmtp_server *server,
    const struct lmtp_message *message, const struct lmtp_times *times,
    struct buf *text);

#endif
