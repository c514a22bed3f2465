/* The process that takes orders and forks one process for each handshake. */
#ifndef TLS_MASTER_H
#define TLS_MASTER_H

#include "tls/serve.h"
#include "tls/tickets.h"

struct master {
	struct serve serve;
	struct store store;
	struct context_settings contexts;
	struct tickets tickets;
	bool once;  /* serves one connection: starts OpenSSL only if asked to */
	bool begun; /* OpenSSL is initialised, controls are read */
	bool warned; /* about the file of tickets */
	const char *certificate;
};

/* Until nobody is left who could give orders, and none is waiting. */
int master_run(struct master *m, int orders);

#endif
