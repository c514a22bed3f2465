/*
 * What qmail-authd knows of users: who has a home, and the hashes of hosted
 * mailboxes.  Its master loads both, with rights that its workers have not;
 * those have them by fork(2), and can tell when they are out of date.
 */
#ifndef AUTH_AUTHD_FILES_H
#define AUTH_AUTHD_FILES_H

#include "auth/qpasswd_index.h"
#include "base/buf.h"
#include "base/cdb.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* A file as it was when it was loaded. */
struct authd_file {
	const char *path;
	bool looked; /* at all */
	int error;   /* errno of that look, or 0 */
	struct stat st;
	int result; /* of loading: 0, QE_ABSENT, or why it cannot be used */
};

struct authd_files {
	struct lot lot;
	struct authd_file homes; /* /etc/qpasswd, or users/qpasswd */
	struct buf text;
	struct qpasswd_index index;  /* of text, which it borrows */
	struct authd_file mailboxes; /* users/mailboxes.cdb */
	struct cdb_reader *hashes;   /* NULL unless its result is 0 */
};

enum authd_news { AUTHD_SAME, AUTHD_CHANGED, AUTHD_UNSEEN };

/* by_root: the files of a whole host, /etc/qpasswd, as opposed to a home's. */
void authd_files_init(struct authd_files *f, bool by_root);
void authd_files_free(struct authd_files *f);

/*
 * Loads what is not as it was, which is everything at first.  True if
 * anything was not.  What is wrong is said on descriptor 2, once.
 */
bool authd_files_load(struct authd_files *f);
/* Whether there is something to load.  AUTHD_UNSEEN: we may not look; said. */
enum authd_news authd_files_news(const struct authd_files *f);

/* The uid and gid of the first user with a home; false if there is none. */
bool authd_files_owner(const struct authd_files *f, uid_t *uid, gid_t *gid);

#endif
