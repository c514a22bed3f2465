/*
 * One connection of a program that has something to be scanned.  What it
 * sends goes into a file without a name, never into memory as a whole.
 */
#ifndef SCAN_CLIENT_H
#define SCAN_CLIENT_H

#include "smtp/clamd.h"

#include <stdbool.h>
#include <stdint.h>

enum client_state {
	CLIENT_NONE,
	CLIENT_COMMAND, /* a command is due */
	CLIENT_STREAM,  /* the message is coming */
	CLIENT_WAITING, /* for a worker */
	CLIENT_SCANNED, /* by a worker */
	CLIENT_CLOSING  /* it was answered; what it still sends is dropped */
};

struct client {
	enum client_state state;
	int fd, file; /* -1: none */
	int64_t deadline_ms;
	uint64_t number; /* in the order of whole messages */
	char terminator; /* of replies */
	struct clamd_stream stream;
	int64_t size, size_max;
	size_t len; /* of a command that is not whole yet */
	char command[CLAMD_COMMAND_MAX + 8];
};

void client_begin(struct client *c, int fd, int64_t size_max);
/*
 * Takes what has come.  CLAMD_UNKNOWN and nothing to do, or a command that
 * the caller answers; CLAMD_INSTREAM means that a message is whole.
 */
enum clamd_command client_hear(struct client *c);
/* The last words to it. */
void client_answer(struct client *c, struct strv text);
void client_end(struct client *c);

#endif
