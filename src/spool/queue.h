/*
 * The queue on disk: paths, states and record codecs (qmail-queue(5)).
 *
 * Paths are relative to the queue directory.  The number of split directories
 * and whether todo/ and intd/ are split too are read from the queue itself.
 */
#ifndef SPOOL_QUEUE_H
#define SPOOL_QUEUE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct queue_layout {
	unsigned split;  /* directories below mess, info, local, remote */
	bool todo_split; /* todo/ and intd/ have them too */
};

/* Looks below the working directory.  0, QE_ABSENT, QE_SYS. */
int queue_layout_read(struct queue_layout *out);

enum queue_area {
	QUEUE_MESS,
	QUEUE_INTD,
	QUEUE_TODO,
	QUEUE_INFO,
	QUEUE_LOCAL,
	QUEUE_REMOTE,
	QUEUE_BOUNCE,
	QUEUE_AREA_COUNT
};

enum { QUEUE_PATH_MAX = 64 };

/* "mess/12/1106519"; todo and intd as the layout says. */
void queue_path(const struct queue_layout *layout, enum queue_area area,
    uint64_t id, char out[QUEUE_PATH_MAX]);
/* The directory the file lives in: "mess/12". */
void queue_dir_path(const struct queue_layout *layout, enum queue_area area,
    uint64_t id, char out[QUEUE_PATH_MAX]);
const char *queue_area_name(enum queue_area area);
/* A file name that is a message id: digits only.  0 or QE_SYNTAX. */
int queue_id_parse(struct strv name, uint64_t *id);

/* Envelope of intd/ and todo/. */
struct envelope {
	uint64_t uid, pid;
	struct strv sender;
	struct strv recipients; /* T<recip>\0 ... as they stand in the file */
};

enum {
	ADDRESS_MAX = 1002 /* bytes of an address in the queue */
};

/*
 * Records in any order; 0, QE_SYNTAX (unknown letter, no sender, a record
 * without its NUL: a torn file).  Views into bytes, except that recipients
 * scattered among other records are gathered in scratch.
 */
int envelope_parse(
    struct strv bytes, struct buf *scratch, struct envelope *out);
/* "u<uid>\0p<pid>\0"; sender and recipients follow as F and T records. */
void envelope_add_origin(struct buf *out, uint64_t uid, uint64_t pid);

/*
 * Takes the next NUL-terminated record off *rest: its letter and the text
 * behind it.  0, QE_EOF at the end, QE_SYNTAX without a final NUL.
 */
int record_next(struct strv *rest, char *letter, struct strv *text);
void record_add(struct buf *out, char letter, struct strv text);

#endif
