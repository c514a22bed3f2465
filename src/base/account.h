/*
 * The suite's own users and groups, and the way down to their rights.
 *
 * Roles are looked up by name at run time.  A suite started without root runs
 * every role under the caller's ids.
 */
#ifndef BASE_ACCOUNT_H
#define BASE_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

enum role {
	ROLE_ALIAS,
	ROLE_DAEMON,
	ROLE_LOG,
	ROLE_PASSWD,
	ROLE_QUEUE,
	ROLE_REMOTE,
	ROLE_SEND, /* qmail-showctl tells the ids up to here */
	ROLE_TLS,
	ROLE_SCAN,
	ROLE_COUNT
};

const char *role_user(enum role role); /* "qmaild" ... as given to make */
const char *account_group_queue(void); /* "qmail" */
const char *account_group_none(void);  /* "nofiles" */

/*
 * Reads /etc/passwd (or another file of its form) directly, without the name
 * service: cheap, and safe in statically linked programs.  0, QE_ABSENT,
 * QE_SYS.
 */
int account_uid_from_file(const char *passwd, const char *name, uid_t *uid);
int account_ids_from_file(
    const char *passwd, const char *name, uid_t *uid, gid_t *gid);

/* Through the name service; only for dynamically linked programs.
 * 0, QE_ABSENT, or QE_TEMP when the service is in trouble. */
int account_user(const char *name, uid_t *uid, gid_t *gid);
int account_group(const char *name, gid_t *gid);

/*
 * Gives up everything but uid, gid and the listed groups, for good, and
 * proves that there is no way back.  0 or QE_SYS.
 */
int account_become(uid_t uid, gid_t gid, const gid_t *groups, size_t count);

#endif
