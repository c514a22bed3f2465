/*
 * The caller's name.  Two of the suite's users own files of the home, which
 * is cheaper to see than a line in the password file.
 */
#include "queue/caller.h"
#include "base/account.h"

#include <stdbool.h>
#include <sys/stat.h>

static bool
owns(uid_t uid, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_uid == uid;
}

static bool
is_network_user(uid_t uid)
{
	uid_t daemon;

	return account_uid_from_file(
		   "/etc/passwd", role_user(ROLE_DAEMON), &daemon) == 0 &&
	       daemon == uid;
}

/* A home where one user plays all roles, or root, has nothing to tell. */
void
caller_add(struct buf *out, uid_t uid, uid_t queue_owner)
{
	bool is_role = uid != 0 && uid != queue_owner;

	if (is_role && owns(uid, "alias")) {
		buf_add_str(out, "by alias");
	} else if (is_role && owns(uid, "queue/lock/sendmutex")) {
		buf_add_str(out, "for bounce");
	} else if (is_role && is_network_user(uid)) {
		buf_add_str(out, "from network");
	} else {
		buf_add_str(out, "by uid ");
		buf_add_u64(out, uid);
	}
}
