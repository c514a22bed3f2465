/*
 * One message on its way into the queue: its names in pid, mess, intd and todo,
 * step by step, and the way back.  Paths are relative to the queue.
 */
#ifndef QUEUE_ITEM_H
#define QUEUE_ITEM_H

#include "base/exitcode.h"
#include "spool/queue.h"

#include <sys/types.h>

struct item {
	const struct queue_layout *layout;
	uint64_t id;
	int mess_fd, intd_fd;
	size_t envelope_bytes;
	/* What must go if it fails. */
	bool has_pid, has_mess, has_intd, has_todo;
	char pid_path[QUEUE_PATH_MAX], mess[QUEUE_PATH_MAX];
	char intd[QUEUE_PATH_MAX], todo[QUEUE_PATH_MAX];
};

void item_init(struct item *item, const struct queue_layout *layout);
/* An empty file under the name that is its inode number; opens mess_fd. */
enum queue_exit item_create_mess(struct item *item, pid_t pid, int64_t now);
/* An empty envelope; opens intd_fd. */
enum queue_exit item_create_intd(struct item *item);
enum queue_exit item_add_envelope(
    struct item *item, const char *data, size_t len);
/* The link that makes it a message of the queue; not durable yet. */
enum queue_exit item_link(struct item *item);
/*
 * A clock that jumps makes the file one that nobody has touched for long, and
 * qmail-send has such removed: then there is a name in todo/, but no message.
 */
enum queue_exit item_check_mess(const struct item *item);
void item_undo(const struct item *item);

#endif
