/*
 * Role names, the password file read directly, and giving up rights for good.
 * What needs the name service is in account_nss.c, so that statically linked
 * programs stay free of it.
 */
#include "base/account.h"
#include "base/error.h"

#include <config.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const role_users[ROLE_COUNT] = {
	[ROLE_ALIAS] = CONFIG_USER_ALIAS,
	[ROLE_DAEMON] = CONFIG_USER_DAEMON,
	[ROLE_LOG] = CONFIG_USER_LOG,
	[ROLE_PASSWD] = CONFIG_USER_PASSWD,
	[ROLE_QUEUE] = CONFIG_USER_QUEUE,
	[ROLE_REMOTE] = CONFIG_USER_REMOTE,
	[ROLE_SEND] = CONFIG_USER_SEND,
	[ROLE_TLS] = CONFIG_USER_TLS,
	[ROLE_SCAN] = CONFIG_USER_SCAN,
};

const char *
role_user(enum role role)
{
	return role_users[role];
}

const char *
account_group_queue(void)
{
	return CONFIG_GROUP_QUEUE;
}

const char *
account_group_none(void)
{
	return CONFIG_GROUP_NONE;
}

int
account_ids_from_file(
    const char *passwd, const char *name, uid_t *uid, gid_t *gid)
{
	FILE *file = fopen(passwd, "re");
	const struct passwd *entry;
	int r = QE_ABSENT;

	if (file == NULL)
		return QE_SYS;
	while ((entry = fgetpwent(file)) != NULL)
		if (strcmp(entry->pw_name, name) == 0) {
			*uid = entry->pw_uid;
			*gid = entry->pw_gid;
			r = 0;
			break;
		}
	/* A file that cannot be read does not prove that nobody is in it. */
	if (r != 0 && ferror(file))
		r = QE_SYS;
	fclose(file);
	return r;
}

int
account_uid_from_file(const char *passwd, const char *name, uid_t *uid)
{
	gid_t gid;

	return account_ids_from_file(passwd, name, uid, &gid);
}

int
account_become(uid_t uid, gid_t gid, const gid_t *groups, size_t count)
{
	uid_t real, effective, saved;

	if (setgroups(count, groups) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return QE_SYS;
	if (getresuid(&real, &effective, &saved) < 0 || real != uid ||
	    effective != uid || saved != uid) {
		errno = EPERM;
		return QE_SYS;
	}
	if (uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return QE_SYS;
	}
	return 0;
}
