/*
 * Writes the records of a message: local, remote and, as the last one, info
 * (qmail-queue(5)).  Until record_commit has flushed them, todo/ is the
 * message's only record and stays.
 *
 * Writing and flushing are two steps, so that messages that come together
 * are written first and flushed then: the first flush does most of the work
 * for all of them.
 */
#ifndef SEND_RECORD_H
#define SEND_RECORD_H

#include "conf/resolve.h"
#include "spool/queue.h"

#include <stdbool.h>

enum { RECORD_FILES = CHANNEL_COUNT + 1 };

struct record {
	const struct queue_layout *layout; /* borrowed */
	uint64_t id;
	/*
	 * There may be older files of these names, and somebody may remove
	 * todo/ at any moment: they are replaced in one step each, so that
	 * the message is whole in between, too.
	 */
	bool replace;
	int fds[RECORD_FILES]; /* -1: no such file */
	struct buf pending[CHANNEL_COUNT];
	const char *problem;       /* the first failure: "trouble writing to" */
	char path[QUEUE_PATH_MAX]; /* ... of this file */
};

void record_begin(struct record *r, const struct queue_layout *layout,
    uint64_t id, bool replace);
/* letter is T or D; addresses come in the order of the file. */
void record_add_recipient(
    struct record *r, enum channel c, char letter, struct strv address);
/* Ends the lists and writes info, with birth as its time. */
void record_end(struct record *r, struct strv sender, int64_t birth);
/* Lets the disk begin; record_commit will have to wait less. */
void record_hurry(const struct record *r);
/*
 * Flushes everything: 0; or QE_SYS, nothing new remains, and problem and path
 * say why.  Descriptors are closed in any case.
 */
int record_commit(struct record *r);
/* A bit for each channel that has a list. */
unsigned record_channels(const struct record *r);

#endif
