/* The sockets that qmail-listen listens on, and who comes in by them. */
#ifndef LISTEN_DOORS_H
#define LISTEN_DOORS_H

#include "listen/settings.h"

struct end {
	struct ipaddr ip;
	uint16_t port;
};

/* A client that has connected; fd is close-on-exec and the owner's to close. */
struct client {
	int fd;
	struct end local, remote;
};

/*
 * Opens a listening, close-on-exec, non-blocking socket for each address into
 * fds, whose number is returned.  Ends the program if one cannot be had.
 */
size_t doors_open(const struct settings *s, int fds[DOORS_MAX]);

/*
 * The next client of a door: 0; QE_ABSENT if nobody is there any more; QE_SYS
 * if this process, the system or the net is out of something, and all will
 * have to wait.
 */
int doors_accept(int door, struct client *out);

#endif
