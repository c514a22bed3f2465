/*
 * Text files of lines "key:rest" or just "key", changed as a whole: readers
 * see the old file or the new one, also after a power cut.
 *
 * Comments, order and whatever else is in the file stay as they are.
 */
#ifndef HOSTING_LINES_H
#define HOSTING_LINES_H

#include "base/buf.h"

#include <stdbool.h>
#include <sys/types.h>

struct lines {
	struct buf text;
	bool present; /* the file exists */
	bool has_end; /* users/assign: a line that begins with a dot is last */
	mode_t mode;  /* of the file, or for it */
	uid_t uid;
	gid_t gid;
};

/*
 * Reads path.  An absent file is empty and would get this mode.  0, QE_LIMIT
 * (larger than max), QE_SYS, QE_NOMEM; after a failure nothing is to be freed.
 */
int lines_load(const char *path, size_t max, mode_t mode, struct lines *out);
void lines_free(struct lines *lines);

/* The line whose key, up to its first colon, is this one; case is ignored. */
bool lines_find(const struct lines *lines, struct strv key, struct strv *line);
/* Puts line in the place of that one, or at the end. */
void lines_set(struct lines *lines, struct strv key, struct strv line);
/* Removes all of that key. */
void lines_remove(struct lines *lines, struct strv key);

/*
 * Writes "<path>.new", flushes it, renames it to path, flushes the directory.
 * 0, or the first error of the changes (QE_NOMEM, QE_LIMIT) or of the writing
 * (QE_SYS).
 */
int lines_save(struct lines *lines, const char *path);

#endif
