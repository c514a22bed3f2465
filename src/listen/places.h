/* Who is being served: a place for each connection, and how many one client
 * has. */
#ifndef LISTEN_PLACES_H
#define LISTEN_PLACES_H

#include "base/net.h"

#include <sys/types.h>

struct place {
	pid_t pid;
	unsigned char client[8]; /* IPv4 address, or network of an IPv6 one */
};

struct places {
	struct place *items; /* owned */
	size_t count, max;
};

/* 0 or QE_NOMEM. */
int places_init(struct places *p, size_t max);
void places_free(struct places *p);
/* How many places a client has: one IPv4 address, or a /64 of IPv6, as those
 * are given to one customer. */
size_t places_of(const struct places *p, const struct ipaddr *client);
/* A place must be free: count < max. */
void places_take(struct places *p, pid_t pid, const struct ipaddr *client);
/* False if that process has no place. */
bool places_leave(struct places *p, pid_t pid);

#endif
