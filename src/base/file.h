/* Whole small files: control files, .qmail files, envelopes. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"

/*
 * Appends the content of a regular file to out.  0; QE_ABSENT if it does not
 * exist; QE_LIMIT if it is larger than out may grow; QE_SYS (EISDIR for
 * anything that is no regular file); QE_NOMEM.
 */
int file_read(const char *path, struct buf *out);
int file_read_at(int dirfd, const char *path, struct buf *out);
/* The same from an open descriptor, from its present offset to its end. */
int file_read_fd(int fd, struct buf *out);

/*
 * Renames, never over another file: 0, or QE_SYS with errno (EEXIST; EINVAL
 * or ENOSYS where the file system or the kernel knows no such rename).
 */
int file_rename_new_at(
    int from_dir, const char *from, int to_dir, const char *to);

#endif
