/* The servers of control/qmqpservers, in their order. */
#ifndef QMTP_SERVERS_H
#define QMTP_SERVERS_H

#include "base/net.h"
#include "conf/control.h"

enum { SERVERS_PORT = 628, SERVERS_MAX = 64 };

struct qmqp_server {
	struct ipaddr ip;
	uint16_t port;
};

struct qmqp_servers {
	struct qmqp_server items[SERVERS_MAX];
	size_t count;
};

/*
 * Lines "address" or "address:port"; an IPv6 address with a port stands in
 * brackets.  0; QE_SYNTAX and *line is the number of a line that is neither;
 * QE_ABSENT (no server at all).  Further lines than SERVERS_MAX are ignored.
 */
int servers_take(
    const struct control_set *set, struct qmqp_servers *out, unsigned *line);

#endif
