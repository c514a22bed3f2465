/* The server's side of one connection, in a process of its own. */
#ifndef TLS_SERVE_H
#define TLS_SERVE_H

#include "smtp/tls_order.h"
#include "tls/jail.h"
#include "tls/store.h"

struct serve {
	struct store *store;
	struct jail jail;
	int seconds; /* for the handshake */
	SSL *ssl;    /* made before the fork, used behind it, once in each */
};

/*
 * In a process that was forked for it: gives up every right, does the
 * handshake, tells of it on control if that is wanted, carries bytes, ends.
 */
_Noreturn void serve_run(
    const struct serve *serve, const struct tls_order *order, bool tell);

#endif
