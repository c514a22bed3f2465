/*
 * What the processes of qmail-scand say to each other: one packet a message,
 * a letter, some bytes, perhaps a descriptor.
 */
#ifndef SCAN_WIRE_H
#define SCAN_WIRE_H

#include "base/strv.h"

enum { WIRE_TEXT_MAX = 512 };

enum wire_kind {
	/* Keeper to front. */
	WIRE_READY = 'R',  /* the database is loaded; its version */
	WIRE_FAILED = 'F', /* it is not; why */
	/* Front to keeper. */
	WIRE_WORKER = 'W', /* a worker for a slot, with its end of a channel */
	/* Front to worker. */
	WIRE_JOB = 'J', /* with the message */
	/* Worker to front. */
	WIRE_CLEAN = 'c',
	WIRE_FOUND = 'v', /* a name */
	WIRE_ERROR = 'e'  /* why */
};

struct wire_message {
	char kind;
	int fd; /* -1: none; whoever receives it owns it */
	size_t len;
	char text[WIRE_TEXT_MAX];
};

/* Both ends close-on-exec.  0 or QE_SYS. */
int wire_pair(int ends[2]);
/* text is cut at WIRE_TEXT_MAX; fd is lent, -1: none.  0 or QE_SYS. */
int wire_send(int channel, char kind, struct strv text, int fd);
/* 0; QE_EOF; QE_SYS (also EAGAIN); QE_SYNTAX for what nobody should send. */
int wire_receive(int channel, struct wire_message *out);

#endif
