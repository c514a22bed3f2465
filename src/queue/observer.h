/*
 * The observers' message: a copy of a watched one with an envelope of its own,
 * so that nothing that happens to it comes back to the sender.
 */
#ifndef QUEUE_OBSERVER_H
#define QUEUE_OBSERVER_H

#include "queue/bigbrother.h"
#include "queue/item.h"

/*
 * Copies the message of original, which is complete, and makes the envelope:
 * no sender, all observers whose party was seen.  Everything is on the disk
 * but the name in todo/, which item_link gives it.  buffer is for the copying.
 */
enum queue_exit observer_prepare(struct item *copy, const struct item *original,
    const struct bigbrother *watch, struct strv origin, pid_t pid, int64_t now,
    char *buffer, size_t size);

#endif
