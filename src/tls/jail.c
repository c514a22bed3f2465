/*
 * Gives up all that a handshake does not need.  Its order is that of the
 * functions in the header: descriptors, rights, limits, system calls.
 */
#include "tls/jail.h"
#include "base/account.h"
#include "base/error.h"
#include "base/sandbox.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	JAIL_NOFILE = 16,
	JAIL_DATA = 48 << 20, /* bytes of heap; a handshake takes far less */
	JAIL_LIFT = 10        /* above all places of jail_keep */
};

static const struct sandbox_limit limits[] = {
	{RLIMIT_CORE,    0          },
	{ RLIMIT_NPROC,  0          },
	{ RLIMIT_NOFILE, JAIL_NOFILE},
	{ RLIMIT_DATA,   JAIL_DATA  },
};

/* More than any process; those that open files stand at the end. */
static const int calls[] = {
	SYS_recvmsg,
	SYS_shutdown,
	SYS_setsockopt,
	SYS_openat,
#ifdef SYS_open
	SYS_open,
	SYS_stat,
#endif
	SYS_newfstatat,
	SYS_fstat,
	SYS_lseek,
};

enum { CALLS = sizeof(calls) / sizeof(*calls), CALLS_LOCKED = 3 };

/* Those that move packets; see wire.c. */
static const int tcp_options[] = { TCP_CORK, TCP_QUICKACK };

int
jail_keep(const int *fds, size_t count)
{
	int lifted[JAIL_FDS_MAX];

	for (size_t i = 0; i < count; i++) {
		lifted[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, JAIL_LIFT);
		if (lifted[i] < 0)
			return QE_SYS;
	}
	for (size_t i = 0; i < count; i++)
		if (dup3(lifted[i], JAIL_FD + (int)i, O_CLOEXEC) < 0)
			return QE_SYS;
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	return close_range(JAIL_FD + (unsigned)count, ~0U, 0) < 0 ? QE_SYS : 0;
}

int
jail_enter(const struct jail *jail)
{
	if (jail->is_root) {
		if (chroot(JAIL_DIR) < 0 || chdir("/") < 0)
			return QE_SYS;
		if (account_become(jail->uid, jail->gid, &jail->gid, 1) != 0)
			return QE_SYS;
	}
	return sandbox_limit(limits, sizeof(limits) / sizeof(*limits));
}

int
jail_lock(bool may_open)
{
	int r = sandbox_options(IPPROTO_TCP, tcp_options,
	    sizeof(tcp_options) / sizeof(*tcp_options));

	if (r == 0)
		r = sandbox_calls_more(calls, may_open ? CALLS : CALLS_LOCKED);
	return r == QE_ABSENT ? 0 : r;
}
