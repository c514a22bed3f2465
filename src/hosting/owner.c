/* A child with the rights of a domain, for everything in its directory. */
#include "hosting/owner.h"
#include "base/account.h"
#include "base/die.h"
#include "base/exitcode.h"
#include "base/spawn.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void
child(const struct domain *d,
    int (*work)(const struct domain *d, const void *arg), const void *arg)
{
	int code;

	if (geteuid() == 0 && account_become(d->uid, d->gid, &d->gid, 1) != 0)
		die_errno(
		    EX_TEMPORARY, "unable to become uid %ld", (long)d->uid);
	if (geteuid() != d->uid)
		die(EX_PERMANENT,
		    "%s belongs to uid %ld; only root or that user can "
		    "change it",
		    d->name, (long)d->uid);
	umask(077);
	if (chdir(d->home) < 0)
		die_errno(EX_TEMPORARY, "unable to switch to %s", d->home);
	code = work(d, arg);
	if (fflush(stdout) != 0)
		die_errno(EX_TEMPORARY, "unable to write the output");
	_exit(code);
}

void
owner_run(const struct domain *d,
    int (*work)(const struct domain *d, const void *arg), const void *arg)
{
	int status = 0, code;
	pid_t pid;

	if (fflush(stdout) != 0)
		die_errno(EX_TEMPORARY, "unable to write the output");
	pid = fork();
	if (pid == 0)
		child(d, work, arg);
	if (pid < 0 || spawn_wait(pid, &status) != 0)
		die_errno(EX_TEMPORARY, "unable to fork");
	code = spawn_exit_code(status);
	if (code < 0)
		die(EX_TEMPORARY, "the process working in %s crashed", d->home);
	if (code != 0)
		_exit(code);
}
