/*
 * Resource limits and seccomp(2).  The filter is a list of comparisons: few
 * calls are allowed, so a search tree would gain nothing.
 */
#include "base/sandbox.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * A program that is tested under a sanitizer makes calls and takes memory that
 * are the sanitizer's own: here, and nowhere else, it is let out.
 */
#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#define SANDBOX_ARCH 0
#else
enum { SANITIZED = 0 };
#endif

#if defined(SANDBOX_ARCH)
#elif defined(__x86_64__) && !defined(__ILP32__)
#define SANDBOX_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SANDBOX_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define SANDBOX_ARCH AUDIT_ARCH_RISCV64
#else
#define SANDBOX_ARCH 0 /* no filter: its name here is not known */
#endif

/* Instructions around the comparisons; of an option's call and level. */
enum { HEAD = 3, TAIL = 2, OPTIONS = 4, READING = 4 };

enum { LITTLE = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ };

/* prlimit(2); C libraries disagree on the type of resource. */
static long
change(int resource, const struct rlimit *to, struct rlimit *from)
{
	return syscall(SYS_prlimit64, 0, resource, to, from);
}

static bool
is_memory(int resource)
{
	return resource == RLIMIT_DATA || resource == RLIMIT_AS;
}

int
sandbox_limit(const struct sandbox_limit *limits, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct rlimit now;
		rlim_t value = limits[i].value;

		if (SANITIZED && is_memory(limits[i].resource))
			continue;
		if (change(limits[i].resource, NULL, &now) < 0)
			return QE_SYS;
		if (value > now.rlim_max)
			value = now.rlim_max;
		now.rlim_cur = now.rlim_max = value;
		if (change(limits[i].resource, &now, NULL) < 0)
			return QE_SYS;
	}
	return 0;
}

static struct sock_filter
instruction(uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
	return (struct sock_filter){ code, yes, no, value };
}

/* Loads the number of the call; a call of another machine's kind is fatal. */
static void
filter_head(struct sock_filter out[HEAD], size_t count)
{
	const uint32_t arch = offsetof(struct seccomp_data, arch);
	const uint32_t call = offsetof(struct seccomp_data, nr);

	out[0] = instruction(BPF_LD | BPF_W | BPF_ABS, arch, 0, 0);
	out[1] = instruction(
	    BPF_JMP | BPF_JEQ | BPF_K, SANDBOX_ARCH, 0, (uint8_t)(count + 1));
	out[2] = instruction(BPF_LD | BPF_W | BPF_ABS, call, 0, 0);
}

static const int basic_calls[] = {
	SYS_read,
	SYS_write,
	SYS_readv,
	SYS_writev,
	SYS_recvfrom,
	SYS_sendto,
	SYS_close,
	SYS_fcntl,
#ifdef SYS_poll
	SYS_poll,
#endif
	SYS_ppoll,
	SYS_brk,
	SYS_mmap,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_getrandom,
	SYS_getpid,
	SYS_gettid,
	SYS_futex,
	SYS_clock_gettime,
	SYS_gettimeofday,
#ifdef SYS_time
	SYS_time,
#endif
	SYS_rt_sigreturn,
	SYS_rt_sigprocmask,
	SYS_restart_syscall,
	SYS_exit,
	SYS_exit_group,
};

enum { BASIC_CALLS = sizeof(basic_calls) / sizeof(*basic_calls) };

int
sandbox_calls_more(const int *calls, size_t count)
{
	int all[SANDBOX_CALLS_MAX];

	if (count > SANDBOX_CALLS_MAX - BASIC_CALLS)
		return QE_LIMIT;
	memcpy(all, basic_calls, sizeof(basic_calls));
	if (count > 0)
		memcpy(all + BASIC_CALLS, calls, count * sizeof(*calls));
	return sandbox_calls(all, BASIC_CALLS + count);
}

/* 0, QE_ABSENT or QE_SYS. */
static int
install(struct sock_filter *code, size_t n)
{
	struct sock_fprog filter = { .filter = code, .len = (unsigned short)n };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0)
		return 0;
	return errno == EINVAL || errno == ENOSYS ? QE_ABSENT : QE_SYS;
}

static int
begin(size_t count)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return QE_SYS;
	if (SANDBOX_ARCH == 0)
		return QE_ABSENT;
	return count > SANDBOX_CALLS_MAX ? QE_LIMIT : 0;
}

/* The comparison jumps over the rest and the end, to what allows it. */
static size_t
filter_any(struct sock_filter *out, const int *values, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		out[n++] = instruction(BPF_JMP | BPF_JEQ | BPF_K,
		    (uint32_t)values[i], (uint8_t)(count - i), 0);
	out[n++] = instruction(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	out[n++] = instruction(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	return n;
}

int
sandbox_calls(const int *calls, size_t count)
{
	struct sock_filter code[HEAD + SANDBOX_CALLS_MAX + TAIL];
	int r = begin(count);

	if (r != 0)
		return r;
	filter_head(code, count);
	return install(code, HEAD + filter_any(code + HEAD, calls, count));
}

/* Loads a 32-bit argument of the call. */
static struct sock_filter
load_argument(size_t number)
{
	return instruction(BPF_LD | BPF_W | BPF_ABS,
	    (uint32_t)(offsetof(struct seccomp_data, args) + 8 * number +
		       (LITTLE ? 0 : 4)),
	    0, 0);
}

int
sandbox_options(int level, const int *names, size_t count)
{
	struct sock_filter code[HEAD + OPTIONS + SANDBOX_CALLS_MAX + TAIL];
	const uint8_t all = (uint8_t)(count + 1); /* over names and refusal */
	struct sock_filter *next = code + HEAD;
	int r = begin(count);

	if (r != 0)
		return r;
	filter_head(code, OPTIONS + count);
	*next++ = instruction(
	    BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, (uint8_t)(all + 3));
	*next++ = load_argument(1);
	*next++ = instruction(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)level, 0,
	    (uint8_t)(count + 1));
	*next++ = load_argument(2);
	return install(code, HEAD + OPTIONS + filter_any(next, names, count));
}

int
sandbox_reading(void)
{
	const uint32_t more = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
	struct sock_filter code[HEAD + READING + TAIL];
	struct sock_filter *next = code + HEAD;
	int r = begin(0);

	if (r != 0)
		return r;
	filter_head(code, READING);
	*next++ =
	    instruction(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, READING);
	*next++ = load_argument(2);
	*next++ = instruction(BPF_ALU | BPF_AND | BPF_K, more, 0, 0);
	*next++ = instruction(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	return install(code, HEAD + READING + filter_any(next, NULL, 0));
}
