/* Who started qmail-queue, in the words of its Received line. */
#ifndef QUEUE_CALLER_H
#define QUEUE_CALLER_H

#include "base/buf.h"

#include <sys/types.h>

/*
 * "by alias", "from network", "for bounce" or "by uid <uid>".  Looks below
 * the working directory, which is the home.
 */
void caller_add(struct buf *out, uid_t uid, uid_t queue_owner);

#endif
