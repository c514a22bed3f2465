/*
 * checkpassword prog [arg ...]: name and password from descriptor 3 against
 * the system's accounts, then prog as that user in his home directory.
 *
 * Started by qmail-popup or qmail-smtpd as root.  Exit codes: 1 refused, 2
 * misused, 111 no answer for now; else those of prog.  Only clear passwords
 * can be checked against hashes: $SASL, if set, must be plain or login.  Root
 * is refused.
 *
 * Without root one uid is all there is: the logins are then the lines
 * "login:crypt hash:home directory" of users/poppasswd in the qmail home (a
 * relative directory begins there; '#' starts a comment line), and the file
 * must be closed to group and others.  prog runs under the caller's own uid.
 */
#include "auth/credentials.h"
#include "auth/identity.h"
#include "auth/password.h"
#include "auth/run.h"
#include "base/account.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CHECK_GROUPS_MAX = 64 /* groups of one user */ };

static bool
check_sasl_is_clear(void)
{
	struct strv sasl = strv_of(env_get("SASL"));

	return sasl.len == 0 || strv_eq_nocase(sasl, STRV("plain")) ||
	       strv_eq_nocase(sasl, STRV("login"));
}

static int
check_find(const char *login, struct identity *id)
{
	if (geteuid() == 0)
		return identity_find_account(login, id);
	if (chdir(program_home()) < 0)
		return QE_SYS;
	return identity_find_private("users/poppasswd", login, id);
}

/* All failures here are temporary: the password was right. */
static void
check_become(struct identity *id)
{
	gid_t groups[CHECK_GROUPS_MAX];
	int count = CHECK_GROUPS_MAX;

	if (id->switch_ids) {
		if (getgrouplist(buf_cstr(&id->user), id->gid, groups, &count) <
		    0)
			die(EX_TEMPORARY, "user is in too many groups");
		if (account_become(id->uid, id->gid, groups, (size_t)count) !=
		    0)
			die_errno(EX_TEMPORARY, "unable to become the user");
	}
}

static void
check_password(struct identity *id)
{
	struct credentials given;
	bool match;
	int r;

	run_read_credentials(&given);
	r = check_find(given.login, id);
	if (r != 0) {
		credentials_wipe(&given);
		die(EX_TEMPORARY, "unable to look up users: %s",
		    error_result_text(r));
	}
	match = password_matches(given.a, buf_cstr(&id->hash));
	credentials_wipe(&given);
	if (!match && errno != 0)
		die_errno(EX_TEMPORARY, "unable to compute a hash");
	if (!match || !id->usable || !check_sasl_is_clear()) {
		identity_free(id);
		_exit(CHECK_REFUSED);
	}
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "checkpassword",
		.flags = PROGRAM_KEEP_UMASK | PROGRAM_KEEP_SIGPIPE,
	};
	struct identity id;

	program_begin(&program);
	if (argc < 2)
		die(CHECK_MISUSE, "usage: checkpassword prog [arg ...]");
	run_guard();
	check_password(&id);
	check_become(&id);
	run_next(buf_cstr(&id.user), buf_cstr(&id.home), buf_cstr(&id.shell),
	    argv + 1);
}
