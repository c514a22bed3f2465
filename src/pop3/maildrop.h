/*
 * A Maildir as one POP3 session sees it: a numbered list that does not change
 * until the end, however others change the directory meanwhile.
 */
#ifndef POP3_MAILDROP_H
#define POP3_MAILDROP_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MAILDROP_MESSAGES_MAX = 2000000, /* more wait for the next session */
	MAILDROP_NAMES_MAX = 1 << 30,    /* bytes of all names */
	MAILDROP_TMP_AGE = 36 * 3600 /* seconds unread until tmp/ is swept */
};

/* 24 bytes, and the name. */
struct maildrop_message {
	int64_t time; /* microseconds since 1970 */
	uint64_t size : 62;
	uint64_t is_new : 1;
	uint64_t is_deleted : 1;
	uint32_t name; /* offset in names */
};

struct maildrop {
	struct maildrop_message *messages; /* owned; by time, then name */
	size_t count, cap;
	struct buf names; /* each ended by NUL */
	uint64_t bytes;   /* of all that are not deleted */
	int new_fd, cur_fd;
};

/*
 * Opens dir (which becomes the working directory), sweeps tmp/ and lists new/
 * and cur/.  Messages of the current second stay out.  Sizes come from
 * ",S=<n>" in the names, else from the files.  0; QE_ABSENT (no such Maildir);
 * QE_SYS (it cannot be read); QE_NOMEM.
 */
int maildrop_open(const char *dir, int64_t now, struct maildrop *out);
void maildrop_free(struct maildrop *m);

/* The file's name, without its directory. */
const char *maildrop_name(const struct maildrop *m, size_t index);
/* What UIDL shows: the name up to its first ':'. */
struct strv maildrop_uid(const struct maildrop *m, size_t index);
/* A descriptor of the regular file and its size, or QE_SYS. */
int maildrop_open_message(
    const struct maildrop *m, size_t index, int *fd, uint64_t *size);

void maildrop_delete(struct maildrop *m, size_t index);
void maildrop_undelete_all(struct maildrop *m);
/*
 * Unlinks what is deleted, notes it in maildirsize if there is one, and moves
 * the rest of new/ to cur/.  False if something deleted is still there.
 */
bool maildrop_commit(struct maildrop *m);

/*
 * What a name tells: the size behind ",S=" and the time it starts with, in
 * microseconds.  False if it lacks one of them.
 */
bool maildrop_parse_name(struct strv name, uint64_t *size, int64_t *time);

#endif
