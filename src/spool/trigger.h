/*
 * lock/trigger: how a new message makes itself known.
 *
 * Our qmail-queue writes "<id>\0" so that nobody has to search; others write a
 * single NUL, which means "look through todo/".  The writer never waits and
 * never fails; the reader notices when the pipe may have been full.
 */
#ifndef SPOOL_TRIGGER_H
#define SPOOL_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

/* Relative to the queue directory.  Errors are ignored. */
void trigger_pull(uint64_t id);

struct trigger {
	int fd;            /* for poll; non-blocking */
	int keep_fd;       /* our own writing end: no end of file */
	unsigned capacity; /* bytes the FIFO holds; 0: unknown */
	char partial[32];
	unsigned partial_len;
};

/* 0 or QE_SYS. */
int trigger_open(struct trigger *t);
void trigger_close(struct trigger *t);
/*
 * Reads what is there, at most max ids.  *scan becomes true if todo/ must be
 * searched (foreign puller, garbage, pipe perhaps full).  Returns the number
 * of ids.
 */
unsigned trigger_read(
    struct trigger *t, uint64_t *ids, unsigned max, bool *scan);

#endif
