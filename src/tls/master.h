/* The process that takes orders and has others that do handshakes. */
#ifndef TLS_MASTER_H
#define TLS_MASTER_H

#include "tls/pool.h"
#include "tls/tickets.h"

struct master {
	struct serve serve;
	struct pool pool;
	struct store store;
	struct context_settings contexts;
	struct tickets tickets;
	bool once;  /* serves one connection: starts OpenSSL only if asked to */
	bool begun; /* OpenSSL is initialised, controls are read */
	bool warned;   /* about the file of tickets */
	unsigned uses; /* of each process that does handshakes */
	const char *certificate;
};

/*
 * Until nobody is left who could give orders, and none is waiting: life, the
 * pipe of smtp/tls_way.h, has ended; without one (-1), orders have.
 */
int master_run(struct master *m, int orders, int life);

#endif
