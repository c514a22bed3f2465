/*
 * Changing /etc/qpasswd: text in, text out, and the file replaced at once.
 * Nothing here knows a password.
 */
#ifndef AUTH_QPASSWD_EDIT_H
#define AUTH_QPASSWD_EDIT_H

#include "auth/qpasswd_file.h"

/*
 * All append the new text to out.  0; QE_SYNTAX (the old text makes no sense,
 * or what is to be added does not), QE_LIMIT (it is there already), QE_ABSENT
 * (no such user or section), QE_NOMEM.
 *
 * A user goes to the end of the section of that base, or of the last one if
 * base is empty.
 */
int qpasswd_add(struct strv text, struct strv base, struct strv user,
    struct strv home, struct buf *out);
int qpasswd_remove(struct strv text, struct strv user, struct buf *out);
int qpasswd_add_section(
    struct strv text, struct strv base, uid_t uid, gid_t gid, struct buf *out);

/*
 * Holds the lock on path, made of "path.lock", until *fd is closed.  0 or
 * QE_SYS.
 */
int qpasswd_lock(const char *path, int *fd);
/*
 * Puts text in place of path, mode 0600: readers see the old file or the new
 * one, and so does whoever comes after a power cut.  Only with the lock.  0,
 * QE_SYS, QE_NOMEM.
 */
int qpasswd_replace(const char *path, struct strv text);

#endif
