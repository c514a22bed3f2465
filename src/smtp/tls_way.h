/*
 * The way from a service to its qmail-tlsd: made once by "qmail-tls -r",
 * inherited by all that the listener starts, and named by $QMAILTLS.
 *
 * Whoever has it may send orders, and nobody can spoil it for the others.  It
 * is no socket, which each holder could shut down for all of them, but a
 * place (O_PATH of open(2)), to which each sends from a socket of his own by
 * way of /proc; and a pipe, from whose end qmail-tlsd learns that nobody is
 * left.  The place has no name in the file system.
 */
#ifndef SMTP_TLS_WAY_H
#define SMTP_TLS_WAY_H

#include "smtp/tls_order.h"

struct tls_way {
	int place, life; /* -1: there is no way */
};

enum {
	TLS_WAY_SECONDS = 20,    /* for qmail-tlsd to take an order */
	TLS_WAY_POST_SECONDS = 1 /* for room in its queue, which may hold ten */
};

/*
 * That of $QMAILTLS, which is removed from the environment; the descriptors
 * are closed by exec from now on.  False, and no way, if it names none.
 */
bool tls_way_take(struct tls_way *w);
bool tls_way_is_there(const struct tls_way *w);
/* The descriptors stay the caller's.  0; QE_EOF (nobody listens), QE_SYS. */
int tls_way_send(const struct tls_way *w, const struct tls_order *order);
void tls_way_close(struct tls_way *w);
/* Is it a place, to send orders to? */
bool tls_way_is_place(int fd);
/* The same to a place alone; for those who can do without. */
int tls_way_post(int place, const struct tls_order *order);

/*
 * A new one, and the other ends, which are qmail-tlsd's: a socket that gets
 * the orders, and the pipe's.  All are closed by exec.  Needs home/run, which
 * it makes where it is not there, or /tmp, for a moment.  0 or QE_SYS.
 */
int tls_way_make(const char *home, struct tls_way *w, int *orders, int *end);

#endif
