/*
 * A list of system calls: those for connections, for reading files, and those
 * that libcrypto and libcrypt make on their way to a digest.
 */
#include "auth/authd_jail.h"
#include "base/error.h"
#include "base/sandbox.h"

#include <sys/syscall.h>

static const int calls[] = {
	SYS_accept4,
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
	SYS_epoll_pwait,
	SYS_getsockopt,
	SYS_setsockopt,
	SYS_openat,
#ifdef SYS_stat
	SYS_stat,
	SYS_lstat,
#endif
	SYS_newfstatat,
	SYS_fstat,
	SYS_lseek,
	SYS_pread64,
#ifdef SYS_access
	SYS_access,
#endif
	SYS_faccessat,
	SYS_geteuid,
	SYS_getuid,
	SYS_getegid,
	SYS_getgid,
	SYS_mprotect,
	SYS_sched_yield,
	SYS_sysinfo,
	SYS_clock_nanosleep,
#ifdef SYS_nanosleep
	SYS_nanosleep,
#endif
};

/* Without root all of it is one user's matter; files stay his. */
int
authd_jail(bool by_root)
{
	int r = by_root ? sandbox_reading() : 0;

	if (r == 0)
		r = sandbox_calls_more(calls, sizeof(calls) / sizeof(*calls));
	return r == QE_ABSENT ? 0 : r;
}
