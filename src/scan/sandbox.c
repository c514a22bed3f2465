/* Landlock and seccomp for qmail-scand; see the header. */
#include "scan/sandbox.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the first version of Landlock knows; later ones add to it. */
static const __u64 READING =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const __u64 WRITING =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG;
static const __u64 HANDLED =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM;

static int
allow_path(int ruleset, const struct sandbox_path *path)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = path->writable ? WRITING : READING
	};
	long r;

	rule.parent_fd = open(path->path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : QE_SYS;
	r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
	    &rule, 0);
	if (r < 0 && errno == EINVAL) {
		/* A file, of which there is nothing to list. */
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
				       LANDLOCK_ACCESS_FS_WRITE_FILE;
		r = syscall(SYS_landlock_add_rule, ruleset,
		    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	close(rule.parent_fd);
	return r < 0 ? QE_SYS : 0;
}

int
sandbox_files(const struct sandbox_path *paths, size_t count)
{
	const struct landlock_ruleset_attr attr = { .handled_access_fs =
							HANDLED };
	int ruleset =
	    (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	int r = 0;

	if (ruleset < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? QE_ABSENT
							      : QE_SYS;
	(void)fcntl(ruleset, F_SETFD, FD_CLOEXEC);
	for (size_t i = 0; i < count && r == 0; i++)
		r = allow_path(ruleset, &paths[i]);
	if (r == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			  syscall(SYS_landlock_restrict_self, ruleset, 0) < 0))
		r = QE_SYS;
	io_close(&ruleset);
	return r;
}

/* Memory, time, and files that Landlock and the user's rights allow. */
static const int worker_calls[] = { SCMP_SYS(read), SCMP_SYS(readv),
	SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev),
	SCMP_SYS(pwrite64), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close),
	SCMP_SYS(stat), SCMP_SYS(fstat), SCMP_SYS(lstat), SCMP_SYS(newfstatat),
	SCMP_SYS(statx), SCMP_SYS(lseek), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(dup2),
	SCMP_SYS(dup3), SCMP_SYS(ftruncate), SCMP_SYS(fadvise64),
	SCMP_SYS(fallocate), SCMP_SYS(flock), SCMP_SYS(unlink),
	SCMP_SYS(unlinkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir),
	SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
	SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(getdents64),
	SCMP_SYS(getcwd), SCMP_SYS(chdir), SCMP_SYS(fchdir), SCMP_SYS(umask),
	SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(ioctl),
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(msync), SCMP_SYS(mincore), SCMP_SYS(futex),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times),
	SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(uname),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu),
	SCMP_SYS(tgkill), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group) };

/* Clients, processes, and what a worker needs to be shut in more tightly. */
static const int front_calls[] = { SCMP_SYS(accept4), SCMP_SYS(socketpair),
	SCMP_SYS(shutdown), SCMP_SYS(clone), SCMP_SYS(fork), SCMP_SYS(vfork),
	SCMP_SYS(set_tid_address), SCMP_SYS(wait4), SCMP_SYS(waitid),
	SCMP_SYS(kill), SCMP_SYS(signalfd4), SCMP_SYS(close_range),
	SCMP_SYS(memfd_create), SCMP_SYS(prctl), SCMP_SYS(prlimit64),
	SCMP_SYS(setrlimit), SCMP_SYS(getrlimit), SCMP_SYS(seccomp),
	SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_add_rule),
	SCMP_SYS(landlock_restrict_self), SCMP_SYS(membarrier),
	SCMP_SYS(statfs), SCMP_SYS(fstatfs) };

static int
allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int r = 0;

	/* What an architecture does not have is no error. */
	for (size_t i = 0; i < count && r == 0; i++)
		if (calls[i] >= 0)
			r = seccomp_rule_add(
			    filter, SCMP_ACT_ALLOW, calls[i], 0);
	return r;
}

/* Memory may be mapped and changed, but not to be executed. */
static int
allow_memory(scmp_filter_ctx filter)
{
	static const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect),
		SCMP_SYS(pkey_mprotect) };
	int r = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return r;
}

int
sandbox_calls(enum sandbox_role role)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (filter == NULL)
		return QE_NOMEM;
	r = allow(
	    filter, worker_calls, sizeof(worker_calls) / sizeof(*worker_calls));
	if (r == 0)
		r = allow_memory(filter);
	if (r == 0 && role == SANDBOX_FRONT)
		r = allow(filter, front_calls,
		    sizeof(front_calls) / sizeof(*front_calls));
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r == 0 ? 0 : r == -ENOMEM ? QE_NOMEM : QE_ABSENT;
}
