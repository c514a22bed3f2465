/* Accounts and groups through the name service (dynamic programs only). */
#include "base/account.h"
#include "base/error.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

int
account_user(const char *name, uid_t *uid, gid_t *gid)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(name);
	if (entry == NULL)
		return error_is_temporary(errno) ? QE_TEMP : QE_ABSENT;
	*uid = entry->pw_uid;
	*gid = entry->pw_gid;
	return 0;
}

int
account_group(const char *name, gid_t *gid)
{
	const struct group *entry;

	errno = 0;
	entry = getgrnam(name);
	if (entry == NULL)
		return error_is_temporary(errno) ? QE_TEMP : QE_ABSENT;
	*gid = entry->gr_gid;
	return 0;
}
