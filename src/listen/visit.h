/* One client of qmail-listen, from the rules to the program that serves it,
 * and the lines in the log that tell of it. */
#ifndef LISTEN_VISIT_H
#define LISTEN_VISIT_H

#include "listen/doors.h"
#include "listen/places.h"
#include "listen/rules.h"

struct host {
	const struct settings *settings;
	struct rules rules;
	struct ruling ruling; /* for the client at hand */
	struct places places;
};

/*
 * Starts the program for a client, whose descriptor is closed here in any
 * case; refuses clients as the rules and limits have it.  A place must be
 * free.
 */
void visit_begin(struct host *host, struct client *client);
/* A child has ended with that status of waitpid(2). */
void visit_end(struct host *host, pid_t pid, int status);
/* "tcpserver: status: 1/40", if the log is to have it. */
void visit_status(const struct host *host);

#endif
