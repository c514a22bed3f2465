/*
 * Who a login is: the password hash to compare with, and whom to become.
 *
 * As root: the system's accounts.  Otherwise one program serves one uid, and
 * the logins are those of users/poppasswd in the home.
 */
#ifndef AUTH_IDENTITY_H
#define AUTH_IDENTITY_H

#include "base/buf.h"

#include <stdbool.h>
#include <sys/types.h>

enum { POPPASSWD_MAX = 1 << 20 }; /* bytes of users/poppasswd */

struct identity {
	struct buf user, home, shell;
	/* The hash, or that of somebody else where there is none: then every
	 * password is wrong, and takes as long. */
	struct buf hash;
	bool usable; /* false: refuse, whatever the password */
	bool switch_ids;
	uid_t uid;
	gid_t gid;
};

/* 0 (also for an unknown login: not usable), QE_SYS, QE_TEMP, QE_NOMEM,
 * QE_DENIED (the file's mode shows it to others). */
int identity_find_account(const char *login, struct identity *out);
int identity_find_private(
    const char *path, const char *login, struct identity *out);
void identity_free(struct identity *id);

/* The line of a private file for login, and a hash of anybody else. */
int identity_parse_private(
    struct strv text, struct strv login, struct identity *out);

#endif
