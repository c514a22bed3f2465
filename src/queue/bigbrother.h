/*
 * control/bigbrother: "watched:observer" lines.  Of a message from or to a
 * watched address the observer gets a copy (observer.h).
 */
#ifndef QUEUE_BIGBROTHER_H
#define QUEUE_BIGBROTHER_H

#include "conf/control.h"
#include "spool/queue.h"

#include <stdbool.h>

struct bigbrother {
	struct control_set set;
	bool *seen; /* owned; one for each entry of set */
	bool in_address;
	size_t length; /* of the address so far */
	char address[ADDRESS_MAX];
};

/*
 * Looks below the working directory, which is the home.  0, also without the
 * file; QE_SYNTAX if a line is no pair of addresses; what reading a control
 * file gives.
 */
int bigbrother_load(struct bigbrother *b);
/* Looks at the next bytes of an envelope that has been checked. */
void bigbrother_watch(struct bigbrother *b, struct strv bytes);
bool bigbrother_has_seen(const struct bigbrother *b);
/* The T records of all observers whose party was seen. */
void bigbrother_add(const struct bigbrother *b, struct buf *out);
void bigbrother_free(struct bigbrother *b);

#endif
