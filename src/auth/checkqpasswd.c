/*
 * checkqpasswd prog [arg ...]: a login of /etc/qpasswd against the passwords
 * in the .qpasswd of its home, then prog as its user there.
 *
 * Started as root, or setuid, or without root for users/qpasswd of the home.
 * Root reads /etc/qpasswd and descriptor 3 and gives up its rights before it
 * looks at anything else.  Exit codes: 1 refused, 2 misused, 111 no answer.
 * Linked twice: alone it knows clear passwords, as checkqpasswd-sasl all
 * mechanisms.
 */
#include "auth/credentials.h"
#include "auth/proof.h"
#include "auth/qpasswd_check.h"
#include "auth/run.h"
#include "base/account.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void
find_user(struct strv login, struct qpasswd_user *user)
{
	bool by_root = geteuid() == 0;
	const char *path = by_root ? QPASSWD_PATH : QPASSWD_PRIVATE;
	struct buf text = BUF_LIMIT(QPASSWD_MAX);
	unsigned line = 0;
	struct lot lot;
	int r = 0;

	lot_init(&lot);
	if (!by_root && chdir(program_home()) != 0)
		die_errno(EX_TEMPORARY, "unable to enter %s", program_home());
	r = qpasswd_read(path, geteuid(), &text);
	if (r == QE_DENIED)
		die(EX_TEMPORARY,
		    "%s: must be a file of root or its user, closed to others",
		    path);
	if (r == 0)
		r = qpasswd_find(buf_view(&text), &lot, login, user, &line);
	buf_free(&text);
	if (r == QE_ABSENT) /* no file, or nobody in it */
		_exit(CHECK_REFUSED);
	if (r == QE_SYNTAX)
		die(EX_TEMPORARY, "%s line %u: makes no sense", path, line);
	if (r != 0)
		die(EX_TEMPORARY, "%s: %s", path, error_result_text(r));
}

/* From here on nothing is done with more rights than the user has. */
static void
become(const struct qpasswd_user *user)
{
	if (geteuid() == 0) {
		if (user->uid == 0)
			die(EX_TEMPORARY,
			    "a section of " QPASSWD_PATH " belongs to root");
		if (account_become(user->uid, user->gid, &user->gid, 1) != 0)
			die_errno(EX_TEMPORARY, "unable to become the user");
	} else if (user->uid != geteuid()) {
		die(EX_TEMPORARY, "without root all users must have uid %ld",
		    (long)geteuid());
	}
}

/* Refuses by ending, or leaves the answer for the server. */
static void
check(struct qpasswd_user *user, struct proof *p)
{
	struct buf answer = BUF_LIMIT(PROOF_ANSWER_MAX);
	struct check_trouble trouble;
	int code;
	int r = proof_read(p);

	if (r != 0)
		die(r == QE_SYS ? EX_TEMPORARY : CHECK_MISUSE,
		    "unable to read the private file: %s",
		    error_result_text(r));
	code = qpasswd_check(user, p, &answer, &trouble);
	if (code == CHECK_REFUSED)
		_exit(code);
	if (code != 0)
		die(code, "%s", trouble.text);
	if (proof_leave(p, &answer) != 0)
		die_errno(EX_TEMPORARY, "unable to write the private file");
	buf_free_secret(&answer);
}

/* Another program, beside this one, for what is not known here. */
static void
go_elsewhere(const char *sasl, char **argv)
{
	const char *name = proof_elsewhere(sasl);
	struct buf path = BUF_LIMIT(QPASSWD_HOME_MAX);

	if (name == NULL)
		return;
	buf_addf(&path, "%s/bin/%s", program_home(), name);
	if (buf_cstr(&path) == NULL)
		die_nomem();
	execv(path.data, argv);
	die_errno(EX_TEMPORARY, "unable to run %s", path.data);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "checkqpasswd",
		.flags = PROGRAM_KEEP_UMASK | PROGRAM_KEEP_SIGPIPE,
	};
	const char *sasl = env_get("SASL");
	struct credentials given;
	struct qpasswd_user user;
	struct proof proof;
	int r;

	program_begin(&program);
	if (argc < 2)
		die(CHECK_MISUSE, "usage: checkqpasswd prog [arg ...]");
	sasl = sasl == NULL || *sasl == '\0' ? "plain" : sasl;
	go_elsewhere(sasl, argv);
	run_guard();
	run_read_credentials(&given);
	r = proof_open(&proof, sasl, &given);
	if (r == QE_ABSENT)
		_exit(CHECK_REFUSED);
	if (r != 0)
		die(CHECK_MISUSE, "no private file: %s", error_result_text(r));
	find_user(strv_of(given.login), &user);
	become(&user);
	check(&user, &proof);
	credentials_wipe(&given);
	proof_close(&proof);
	run_next(
	    buf_cstr(&user.user), buf_cstr(&user.home), "/bin/false", argv + 1);
}
