/* The message files of one area of the queue, whether it is split or not. */
#ifndef ADMIN_WALK_H
#define ADMIN_WALK_H

#include "spool/queue.h"

/* path is that of the file, id its name as a number.  Not 0 ends the walk. */
typedef int walk_file(void *context, const char *path, uint64_t id);

/*
 * Calls each for every file below area ("mess", "todo") of the queue, which
 * is the working directory.  Directories that vanish meanwhile are no
 * trouble.  0, what each returned, or QE_SYS with errno and in failed the
 * directory that cannot be read.
 */
int walk_area(const char *area, walk_file *each, void *context,
    char failed[QUEUE_PATH_MAX]);

#endif
