/*
 * Processes that do handshakes, one connection at a time and several after
 * one another: what it costs to fork one and to take its rights away is paid
 * once for all of them.  Each is forked from the process that has read the
 * keys, and knows of no connection but those it was given.
 */
#ifndef TLS_POOL_H
#define TLS_POOL_H

#include "tls/serve.h"

enum {
	POOL_USES = 50,           /* connections for one process, at most */
	POOL_USES_MAX = 10000,    /* what -n may ask for */
	POOL_IDLE_MAX = 16,       /* processes that wait for a connection */
	POOL_IDLE_MS = 30 * 1000, /* how long they do */
	POOL_LOOK_MS = 10 * 1000  /* between looks at them */
};

struct pool_worker;
/* What a process does, with its end of a socket; serve_run. */
typedef void pool_run(const struct serve *serve, int orders);

struct pool {
	pool_run *run;
	const struct serve *serve;
	unsigned uses;            /* of each process; 1: no second one */
	unsigned generation;      /* of keys and certificates */
	int epoll;                /* of all their sockets */
	struct pool_worker *idle; /* the one that was used last comes first */
	size_t idle_count, count;
	int64_t looked; /* clock_mono_ms() of the last pool_look */
};

int pool_init(
    struct pool *p, pool_run *run, const struct serve *serve, unsigned uses);
/*
 * Gives an order (not ORDER_WAIT) to a process, a new one if need be, in which
 * *order is empty; the descriptors stay the caller's.  0, QE_SYS, QE_NOMEM.
 */
int pool_give(struct pool *p, struct tls_order *order);
/*
 * Keys or certificates are others now: no process that was forked before gets
 * another connection.
 */
void pool_renew(struct pool *p);
/*
 * Ends those that have waited for too long, every POOL_LOOK_MS; to be called
 * at least that often as long as count is not 0.
 */
void pool_look(struct pool *p);

#endif
