/* The client role for all connections of a qmail-rspawn. */
#ifndef TLS_CLIENTS_H
#define TLS_CLIENTS_H

enum {
	CLIENTS_MAX =
	    4096, /* connections at a time; others see to themselves */
	CLIENTS_IDLE_MS = 600 * 1000, /* without one */
	/* A new libssl is there from then on. */
	CLIENTS_LIFE_MS = 3600 * 1000
};

/*
 * Orders come on descriptor 0 (smtp/tls_way.h), until the pipe on 1 ends or it
 * is time; those that are left are not taken.  The exit code of the process.
 */
int clients_run(void);

#endif
