/*
 * A message in the queue, as the tools of administrators see and change it
 * while qmail-send runs (qmail-hold(8) tells why that is safe).
 */
#ifndef ADMIN_QUEUED_H
#define ADMIN_QUEUED_H

#include "spool/queue.h"

enum {
	QUEUED_LIST_MAX = 256 << 20, /* bytes of a list of recipients */
	QUEUED_TEXT_MAX = 65536      /* of a message that are looked at */
};

enum queued_state { QUEUED_NEW, QUEUED_WAITS, QUEUED_HELD };

struct queued {
	uint64_t id;
	enum queued_state state;
	int64_t birth;
	uint64_t size;
	struct buf sender;
	struct buf recipients; /* those that are left, each with a NUL */
	unsigned recipient_count;
	struct buf text; /* scratch */
};

void queued_init(struct queued *q);
void queued_free(struct queued *q);
/*
 * Looks at a message; the queue is the working directory.  0; QE_ABSENT (no
 * message, or not one yet); QE_SYS; QE_SYNTAX, QE_NOMEM, QE_LIMIT.
 */
int queued_read(
    const struct queue_layout *layout, uint64_t id, struct queued *q);
/* The beginning of its text, in q->text.  As above. */
int queued_read_text(const struct queue_layout *layout, struct queued *q);

/* Each: 0; QE_ABSENT if it has gone meanwhile; QE_SYS. */
int queued_hold(const struct queue_layout *layout, struct queued *q);
int queued_release(const struct queue_layout *layout, struct queued *q);
/* All recipients are done; qmail-send removes it.  Not of QUEUED_NEW. */
int queued_delete(const struct queue_layout *layout, struct queued *q);

#endif
