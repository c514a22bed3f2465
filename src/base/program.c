/*
 * The skeleton of every program: standard descriptors, umask, signals, core
 * limit, home, in this order and before anything is read.
 */
#include "base/program.h"
#include "base/die.h"
#include "base/env.h"
#include "base/exitcode.h"

#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

const char *
program_home_built_in(void)
{
	return CONFIG_HOME;
}

const char *
program_home(void)
{
	const char *home = env_get_trusted("QMAILHOME");

	return home != NULL && *home == '/' ? home : CONFIG_HOME;
}

/*
 * A closed standard descriptor would be given to the first file we open, and
 * messages meant for people would go into it.
 */
static void
standard_descriptors(unsigned flags)
{
	for (int fd = 0; fd <= 2; fd++) {
		unsigned need = fd == 0   ? PROGRAM_FD0
				: fd == 1 ? PROGRAM_FD1
					  : 0;

		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		if ((flags & need) != 0)
			die(EX_TEMPORARY,
			    "descriptor %d is not open; the caller must "
			    "provide it",
			    fd);
		if (open("/dev/null", O_RDWR) != fd)
			die_errno(EX_TEMPORARY, "unable to open /dev/null");
	}
}

void
program_begin(const struct program *program)
{
	die_set_name(program->name);
	standard_descriptors(program->flags);
	if ((program->flags & PROGRAM_KEEP_UMASK) == 0)
		umask(program->umask);
	if ((program->flags & PROGRAM_KEEP_SIGPIPE) == 0)
		signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* A caller may ignore it; then waiting for a child would fail. */
	signal(SIGCHLD, SIG_DFL);
	/* No core file of ours, and nobody of the same uid looks into us; what
	 * we start is not concerned, as it would be by a limit. */
	prctl(PR_SET_DUMPABLE, 0);
	if ((program->flags & PROGRAM_HOME) != 0 && chdir(program_home()) < 0)
		die_errno(EX_TEMPORARY, "unable to switch to home directory %s",
		    program_home());
}
