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

enum {
	CHECK_REFUSED = 1,
	CHECK_MISUSE = 2,
	CHECK_GROUPS_MAX = 64 /* groups of one user */
};

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
	if (chdir(buf_cstr(&id->home)) < 0)
		die_errno(EX_TEMPORARY, "unable to enter the home directory");
}

static void
check_set_environment(struct identity *id)
{
	char cwd[4096];
	const char *home = buf_cstr(&id->home);

	if (home[0] != '/')
		home = getcwd(cwd, sizeof cwd);
	if (home == NULL || env_set("USER", buf_cstr(&id->user)) != 0 ||
	    env_set("HOME", home) != 0 ||
	    env_set("SHELL", buf_cstr(&id->shell)) != 0)
		die_nomem();
}

static void
check_password(struct identity *id)
{
	struct credentials given;
	bool match;
	int r = credentials_read(CREDENTIALS_FD, &given);

	if (r == QE_SYS)
		die_errno(errno == EBADF ? CHECK_MISUSE : EX_TEMPORARY,
		    "unable to read descriptor 3");
	if (r != 0)
		die(CHECK_MISUSE, "no login and password on descriptor 3");
	r = check_find(given.login, id);
	if (r != 0) {
		credentials_wipe(&given);
		die(EX_TEMPORARY, "unable to look up users: %s",
		    error_result_text(r));
	}
	match = password_matches(given.a, buf_cstr(&id->hash));
	credentials_wipe(&given);
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
	check_password(&id);
	check_become(&id);
	check_set_environment(&id);
	execvp(argv[1], argv + 1);
	die_errno(EX_TEMPORARY, "unable to run %s", argv[1]);
}
