/* The messages of a Maildir, oldest first; for maildir2mbox and maildirwatch.
 */
#ifndef LOCAL_MESSAGES_H
#define LOCAL_MESSAGES_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

struct message {
	char *path; /* below the Maildir: "new/..." */
	struct timespec mtime;
};

struct messages {
	struct message *items; /* owned */
	size_t count, cap;
};

/*
 * Adds what the directory part ("new", "cur") of the working directory holds.
 * 0, QE_SYS, QE_NOMEM.
 */
int messages_scan(struct messages *m, const char *part);
/* By time of change, then by name. */
void messages_sort(struct messages *m);
void messages_free(struct messages *m);

#endif
