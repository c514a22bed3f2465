/*
 * A pipe that is written without ever waiting: what does not fit stays in a
 * buffer until poll(2) says that there is room.
 */
#ifndef SEND_OUTPIPE_H
#define SEND_OUTPIPE_H

#include "base/buf.h"

struct outpipe {
	int fd;          /* non-blocking; -1: lost */
	struct buf data; /* append here; what is in front of sent is gone */
	size_t sent;
};

void outpipe_init(struct outpipe *p, int fd, size_t max);
/* Bytes that wait. */
size_t outpipe_load(const struct outpipe *p);
/*
 * Tells whether everything appended since data.len was mark has found room;
 * if not it is taken back and the caller must try again later.
 */
bool outpipe_keep(struct outpipe *p, size_t mark);
/* Writes what it can: 0, or QE_EOF if nobody will ever read it. */
int outpipe_flush(struct outpipe *p);

#endif
