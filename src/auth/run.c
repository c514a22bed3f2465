/* The first and the last steps of every checker. */
#include "auth/run.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

void
run_guard(void)
{
	signal(SIGALRM, SIG_DFL);
	alarm(CHECK_SECONDS_MAX);
}

void
run_read_credentials(struct credentials *given)
{
	int r = credentials_read(CREDENTIALS_FD, given);

	if (r == QE_SYS)
		die_errno(errno == EBADF ? CHECK_MISUSE : EX_TEMPORARY,
		    "unable to read descriptor 3");
	if (r != 0)
		die(CHECK_MISUSE, "no login and password on descriptor 3");
}

void
run_next(
    const char *user, const char *home, const char *shell, char *const *argv)
{
	char cwd[4096];

	if (chdir(home) < 0)
		die_errno(EX_TEMPORARY, "unable to enter the home directory");
	/* A server that only wants to know spares itself a process image. */
	if (strcmp(argv[0], "true") == 0 && argv[1] == NULL)
		_exit(0);
	if (home[0] != '/')
		home = getcwd(cwd, sizeof cwd);
	if (home == NULL || env_set("USER", user) != 0 ||
	    env_set("HOME", home) != 0 || env_set("SHELL", shell) != 0)
		die_nomem();
	alarm(0);
	execvp(argv[0], argv);
	die_errno(EX_TEMPORARY, "unable to run %s", argv[0]);
}
