/*
 * qmail-queue's first lines of defence against its caller, who may be any
 * user of the host.  Few system calls: they are made for every message.
 */
#include "queue/guard.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum {
	GUARD_FIRST_STRAY = 3,
	NULL_MAJOR = 1, /* of /dev/null on Linux */
	NULL_MINOR = 3,
	GUARD_LIFETIME = 86400 /* seconds one message may take */
};

/*
 * In a setuid program a libc may put /dev/null in the place of descriptors
 * that are closed.  As a message that would be an empty one.
 */
static bool
is_stand_in(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(NULL_MAJOR, NULL_MINOR) &&
	       (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

/*
 * The first descriptor that is given out tells which of 0, 1 and 2 are open.
 * Number 2 may be missing: then this harmless one, which nobody can read from
 * or write to, keeps its place.
 */
enum queue_exit
guard_descriptors(void)
{
	int fd;

	/* Before Linux 5.9 they stay open, and harmless. */
	if (io_close_from(GUARD_FIRST_STRAY) != 0)
		errno = 0;
	fd = open("/", O_PATH | O_CLOEXEC);
	return fd == 0 || fd == 1 || is_stand_in(0) ? QQ_READ : QQ_OK;
}

static void
on_alarm(int signal_number)
{
	(void)signal_number;
	_exit(QQ_TIMEOUT);
}

static void
on_crash(int signal_number)
{
	(void)signal_number;
	_exit(QQ_BUG);
}

static void
handle(int signal_number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigemptyset(&action.sa_mask);
	sigaction(signal_number, &action, NULL);
}

/*
 * A blocked signal does what an ignored one does, and one call blocks all of
 * them; it also undoes whatever mask the caller left to us.
 */
void
guard_signals(void)
{
	static const int deaf[] = { SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGPROF,
		SIGVTALRM, SIGXCPU, SIGXFSZ };
	static const int fatal[] = { SIGILL, SIGABRT, SIGFPE, SIGBUS, SIGSEGV,
		SIGSYS };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(deaf) / sizeof(*deaf); i++)
		sigaddset(&blocked, deaf[i]);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(*fatal); i++)
		handle(fatal[i], on_crash);
	handle(SIGALRM, on_alarm);
	handle(SIGTERM, SIG_DFL); /* a wrapper may have ignored it */
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}

void
guard_limits(void)
{
	struct rlimit size;

	alarm(GUARD_LIFETIME);
	if (getrlimit(RLIMIT_FSIZE, &size) == 0 &&
	    size.rlim_cur != size.rlim_max) {
		size.rlim_cur = size.rlim_max;
		setrlimit(RLIMIT_FSIZE, &size);
	}
}

void
guard_hold_term(void)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_BLOCK, &held, NULL);
}

bool
guard_is_unwanted(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1;
}
