/*
 * Which account handles a local part: users/cdb first, then the password
 * file (qmail-users(5)).
 */
#ifndef CONF_USERS_H
#define CONF_USERS_H

#include "base/buf.h"

#include <sys/types.h>

struct user_entry {
	struct buf bytes; /* owns the strings */
	const char *user, *home, *dash, *ext;
	uid_t uid;
	gid_t gid;
};

void user_entry_free(struct user_entry *entry);

/*
 * users/cdb: 0, QE_ABSENT (no cdb, or not in it), QE_CORRUPT, QE_SYS,
 * QE_NOMEM.  path is normally "users/cdb"; the reader is kept in *cache
 * (starts NULL) and reopened when the file has changed.
 */
struct cdb_reader;
int users_find_assigned(const char *path, struct strv local,
    struct cdb_reader **cache, struct user_entry *out);

/*
 * The password database, as qmail-getpw does it: 0; QE_TEMP (trouble in the
 * name service: errno is ETXTBSY; or in stat of a home: errno of that);
 * QE_ABSENT (not even the alias user); QE_NOMEM.
 *
 * Started neither by root nor by one of the suite's own users, only the
 * caller's account is found, and alias is the directory alias/ of the home
 * under the caller's ids.
 */
int users_find_account(struct strv local, struct user_entry *out);

/*
 * The wire form of both: user\0uid\0gid\0homedir\0dash\0ext (a last NUL is
 * optional).  0, QE_SYNTAX, QE_NOMEM.
 */
int users_parse(struct strv value, struct user_entry *out);

#endif
