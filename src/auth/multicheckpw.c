/*
 * multicheckpw n checker1 ... checkern prog [arg ...]: gives descriptor 3 to
 * one checker after the other until one accepts, and runs prog as it does.
 *
 * As "multicheckpw 0 prog ..." it is what an accepting checker runs: it tells
 * its parent by a byte on descriptor 5, and becomes prog.  Holds the secret
 * for as long as there is a checker to ask, and wipes it.
 */
#include "auth/credentials.h"
#include "auth/run.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "base/spawn.h"
#include "base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHECKERS_MAX = 16, FACTS_FD = 4, REPORT_FD = 5 };

#define USAGE "usage: multicheckpw n checker ... prog [arg ...]"

struct multi {
	struct credentials given;
	char *const *next; /* prog and its arguments */
	int argc;          /* of them */
	char *self;
	bool only_asks; /* prog is "true": the exit code says it all */
	int facts_fd;   /* FACTS_FD if it was given, or -1 */
};

/* A pipe that holds what descriptor 3 held. */
static int
secret_pipe(const struct multi *m)
{
	int fds[2];

	if (io_pipe(fds) != 0 ||
	    io_write_all(fds[1], m->given.bytes, m->given.len) != 0)
		die_errno(EX_TEMPORARY, "unable to make a pipe");
	io_close(&fds[1]);
	return fds[0];
}

/* checker [multicheckpw 0] prog [arg ...] */
static char **
checker_argv(const struct multi *m, char *checker, bool reports)
{
	char **argv = calloc((size_t)m->argc + 4, sizeof(*argv));
	static char zero[] = "0";
	int n = 0;

	if (argv == NULL)
		die_nomem();
	argv[n++] = checker;
	if (reports) {
		argv[n++] = m->self;
		argv[n++] = zero;
	}
	for (int i = 0; i < m->argc; i++)
		argv[n++] = m->next[i];
	return argv;
}

/*
 * True if the checker has run prog; then *status is prog's, and the secret is
 * wiped, long before that ends.
 */
static bool
ask(struct multi *m, char *checker, int *status)
{
	char **argv = checker_argv(m, checker, !m->only_asks);
	struct spawn how = {
		.path = checker,
		.argv = argv,
		.fds = {0, 1, 2, secret_pipe(m), m->facts_fd, -1},
		.fd_count = REPORT_FD + 1,
		.exit_exec_temp = EX_TEMPORARY
	};
	int report[2], code;
	bool accepted;
	char byte;
	pid_t pid;

	if (io_pipe(report) != 0)
		die_errno(EX_TEMPORARY, "unable to make a pipe");
	how.fds[REPORT_FD] = report[1];
	if (spawn_program(&how, &pid) != 0)
		die_errno(EX_TEMPORARY, "unable to run %s", checker);
	io_close(&report[1]);
	io_close(&how.fds[3]);
	free(argv);
	/* Ends with the checker, or when it has run prog. */
	accepted = io_read(report[0], &byte, 1) == 1;
	io_close(&report[0]);
	if (accepted)
		credentials_wipe(&m->given);
	if (spawn_wait(pid, status) != 0)
		die_errno(EX_TEMPORARY, "unable to wait for %s", checker);
	code = spawn_exit_code(*status);
	return accepted || (m->only_asks && code == 0);
}

/* The last one takes our place, with the pipe as its descriptor 3. */
static void
hand_over(struct multi *m, char *checker)
{
	char **argv = checker_argv(m, checker, false);
	int fd = secret_pipe(m);

	credentials_wipe(&m->given);
	/* dup2 keeps it open for the next program; the copy is closed. */
	if (fd == CREDENTIALS_FD ? fcntl(fd, F_SETFD, 0) < 0
				 : dup2(fd, CREDENTIALS_FD) < 0)
		die_errno(EX_TEMPORARY, "unable to pass descriptor 3 on");
	execvp(checker, argv);
	die_errno(EX_TEMPORARY, "unable to run %s", checker);
}

/* What to say when nobody has accepted: a failure outweighs a refusal. */
static int
worse(int worst, int status)
{
	int code = spawn_exit_code(status);

	if (code == CHECK_REFUSED)
		return worst;
	if (code == CHECK_MISUSE && worst != EX_TEMPORARY)
		return CHECK_MISUSE;
	return EX_TEMPORARY;
}

static _Noreturn void
ask_all(struct multi *m, char *const *checkers, int count)
{
	int worst = CHECK_REFUSED;

	for (int i = 0; i < count; i++) {
		int status = 0;

		if (i == count - 1 && worst == CHECK_REFUSED)
			hand_over(m, checkers[i]);
		if (ask(m, checkers[i], &status)) {
			int code = spawn_exit_code(status);

			credentials_wipe(&m->given);
			_exit(code < 0 ? EX_TEMPORARY : code);
		}
		worst = worse(worst, status);
	}
	credentials_wipe(&m->given);
	_exit(worst);
}

/* What an accepting checker runs. */
static _Noreturn void
report(char *const *argv)
{
	int fd = REPORT_FD;

	(void)io_write_all(fd, "y", 1);
	io_close(&fd);
	execvp(argv[0], argv);
	die_errno(EX_TEMPORARY, "unable to run %s", argv[0]);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "multicheckpw",
		.flags = PROGRAM_KEEP_UMASK | PROGRAM_KEEP_SIGPIPE,
	};
	struct multi m = { .self = argv[0] };
	uint64_t count = 0;

	program_begin(&program);
	if (argc < 3 ||
	    strv_to_u64(strv_of(argv[1]), CHECKERS_MAX, &count) != 0 ||
	    argc < (int)count + 3)
		die(CHECK_MISUSE, USAGE);
	if (count == 0)
		report(argv + 2);
	m.next = argv + 2 + count;
	m.argc = argc - 2 - (int)count;
	m.only_asks = m.argc == 1 && strcmp(m.next[0], "true") == 0;
	m.facts_fd = fcntl(FACTS_FD, F_GETFD) < 0 ? -1 : FACTS_FD;
	run_read_credentials(&m.given);
	ask_all(&m, argv + 2, (int)count);
}
