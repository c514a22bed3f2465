/* The server's side of connections, in a process of its own. */
#ifndef TLS_SERVE_H
#define TLS_SERVE_H

#include "smtp/tls_order.h"
#include "tls/jail.h"
#include "tls/store.h"

struct serve {
	struct store *store;
	struct jail jail;
	int seconds; /* for the handshake */
};

/*
 * In a process that was forked for it: gives up every right, then takes orders
 * from a socket, one after the other.  For each it does the handshake, tells
 * of it on control if that is wanted, and carries bytes; one byte on the
 * socket says that it is done.  Ends with the socket, and after a connection
 * that did not end as it should.
 */
_Noreturn void serve_run(const struct serve *serve, int orders);

#endif
