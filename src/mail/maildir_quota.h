/*
 * The quota of a Maildir: its maildirsize file (maildirsize.h), honoured
 * before a delivery and kept up to date after it.  A Maildir without that file
 * has no quota of its own, and asking costs one system call.
 *
 * Two deliveries at the same time may both see room for one: the quota can be
 * passed by what arrives at once, and the next message is refused.
 */
#ifndef MAIL_MAILDIR_QUOTA_H
#define MAIL_MAILDIR_QUOTA_H

#include "mail/maildirsize.h"

enum {
	MAILDIR_QUOTA_FILE_MAX = 5120, /* bytes; larger ones are written anew */
	MAILDIR_QUOTA_TRUST = 900 /* seconds a fresh count may refuse mail */
};

struct maildir_quota {
	int dir_fd; /* of the Maildir that has the quota */
	int fd;     /* of its maildirsize; -1: no quota */
	struct maildirsize size;
	bool counted;                         /* by us, at this very moment */
	int64_t mtime;                        /* of the file */
	char text[MAILDIRSIZE_QUOTA_MAX + 1]; /* its first line */
};

/*
 * For the Maildir behind maildir_fd; with may_be_folder, one that holds a file
 * maildirfolder counts with its parent directory.  0 (look at fd); QE_SYNTAX
 * (its first line is no quota); QE_SYS; QE_NOMEM.  After 0 close it.
 */
int maildir_quota_open(
    int maildir_fd, bool may_be_folder, struct maildir_quota *q);
/*
 * Whether a message of so many bytes fits: 0; QE_LIMIT; QE_SYS, QE_NOMEM (the
 * files could not be counted).  It never refuses by an old sum: all files are
 * counted before.
 */
int maildir_quota_admit(struct maildir_quota *q, int64_t bytes);
/*
 * Notes what came (or, negative, went) with one write.  A failure is of no
 * consequence but a wrong sum, until the next count.
 */
void maildir_quota_note(
    struct maildir_quota *q, int64_t bytes, int64_t messages);
void maildir_quota_close(struct maildir_quota *q);

/* For readers that have removed messages: all of the above in one. */
void maildir_quota_removed(int maildir_fd, int64_t bytes, int64_t messages);

#endif
