/*
 * checkmailbox prog [arg ...]: address and password from descriptor 3 against
 * users/mailboxes.cdb (qmail-mailbox(8)), then prog as the domain's user in
 * the mailbox's directory.
 *
 * Started by qmail-popup as root, by qmail-smtpd setuid, or without root by
 * the one user of the home.  Reads the database as root, nothing else of the
 * domain.  Exit codes: 1 refused, 2 misused, 111 no answer for now; else those
 * of prog.  Only clear passwords can be checked against hashes.
 */
#include "auth/credentials.h"
#include "auth/password.h"
#include "auth/run.h"
#include "base/account.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "conf/control.h"
#include "conf/logins.h"

#include <errno.h>
#include <unistd.h>

static bool
is_clear(void)
{
	struct strv sasl = strv_of(env_get("SASL"));

	return sasl.len == 0 || strv_eq_nocase(sasl, STRV("plain")) ||
	       strv_eq_nocase(sasl, STRV("login"));
}

/* A name without a domain is one of control/defaulthost. */
static void
add_address(struct buf *address, const char *login)
{
	struct control_error err;

	buf_add_str(address, login);
	if (strv_find(buf_view(address), '@') != STRV_NPOS)
		return;
	buf_add_char(address, '@');
	if (control_line(CTL_DEFAULTHOST, address, &err) != 0)
		die(EX_TEMPORARY, "%s", err.text);
}

/* An unknown address costs what a wrong password costs. */
static void
find(const char *login, struct buf *address, struct login *found)
{
	int r;

	if (chdir(program_home()) < 0)
		die_errno(
		    EX_TEMPORARY, "unable to switch to %s", program_home());
	/* Where nobody has a mailbox, there is nobody to hide. */
	if (access(LOGINS_CDB, F_OK) != 0 && errno == ENOENT)
		_exit(CHECK_REFUSED);
	add_address(address, login);
	r = address->err;
	if (r == 0)
		r = login_find(LOGINS_CDB, buf_view(address), found);
	if (r != 0 && r != QE_ABSENT)
		die(EX_TEMPORARY, "%s/" LOGINS_CDB ": %s", program_home(),
		    error_result_text(r));
}

static void
become(const struct login *login)
{
	if (geteuid() == 0 &&
	    account_become(login->uid, login->gid, &login->gid, 1) != 0)
		die_errno(
		    EX_TEMPORARY, "unable to become uid %ld", (long)login->uid);
	if (geteuid() != login->uid)
		die(EX_TEMPORARY, "unable to become uid %ld without root",
		    (long)login->uid);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "checkmailbox",
		.flags = PROGRAM_KEEP_UMASK | PROGRAM_KEEP_SIGPIPE,
	};
	struct buf address = BUF_LIMIT(2 * CREDENTIALS_MAX);
	struct login login = { .hash = NULL };
	struct credentials given;
	bool match;

	program_begin(&program);
	if (argc < 2)
		die(CHECK_MISUSE, "usage: checkmailbox prog [arg ...]");
	run_guard();
	run_read_credentials(&given);
	find(given.login, &address, &login);
	match =
	    password_matches(given.a, login.hash == NULL ? "" : login.hash) &&
	    login.known;
	credentials_wipe(&given);
	if (!match && errno != 0)
		die_errno(EX_TEMPORARY, "unable to compute a hash");
	if (!match || !is_clear())
		_exit(CHECK_REFUSED);
	become(&login);
	run_next(buf_cstr(&address), login.home, "/bin/false", argv + 1);
}
