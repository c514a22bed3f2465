/*
 * Walks the message ids below a directory of the queue, a few at a time, so
 * that a walk over a million names holds up nobody.
 */
#ifndef SEND_DIRWALK_H
#define SEND_DIRWALK_H

#include "spool/queue.h"

#include <dirent.h>

struct dirwalk {
	enum queue_area area;
	unsigned dirs; /* 0: not split */
	unsigned next;
	DIR *dir;                  /* owned; NULL: none open */
	char path[QUEUE_PATH_MAX]; /* of dir, or of what failed to open */
};

/* Nothing is opened yet. */
void dirwalk_begin(
    struct dirwalk *w, const struct queue_layout *layout, enum queue_area area);
/*
 * 0 and the next id; QE_EOF at the end of the walk; QE_ABSENT (a name that is
 * no id: call again); QE_SYS (a directory cannot be read: call again later,
 * it is tried anew).
 */
int dirwalk_next(struct dirwalk *w, uint64_t *id);
void dirwalk_end(struct dirwalk *w);

#endif
