/*
 * The last narrowing of a process that is about to read strangers' bytes:
 * resource limits, and a filter on system calls where the kernel has one.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stddef.h>
#include <sys/resource.h>

enum { SANDBOX_CALLS_MAX = 64 };

struct sandbox_limit {
	int resource; /* RLIMIT_... */
	rlim_t value; /* soft and hard; never raises a limit there is */
};

/* Under a sanitizer memory has no limit.  0 or QE_SYS. */
int sandbox_limit(const struct sandbox_limit *limits, size_t count);

/*
 * From now on only these system calls (numbers of <sys/syscall.h>) are made;
 * any other ends the process with SIGSYS.  Privileges can no longer be gained.
 * 0; QE_ABSENT where kernel or machine has no such filter, or under a
 * sanitizer, which makes calls of its own; QE_LIMIT; QE_SYS.
 */
int sandbox_calls(const int *calls, size_t count);
/*
 * The same for these calls and those that any process makes which reads and
 * writes what it has: memory, time, random bytes, waiting, its end.
 */
int sandbox_calls_more(const int *calls, size_t count);

/*
 * From now on setsockopt(2) is made with these options of that level only.
 * To be called before sandbox_calls, with the same result.
 */
int sandbox_options(int level, const int *names, size_t count);
/*
 * From now on openat(2) opens for reading only and makes nothing; the same
 * order and results.  open(2) is not to be among the calls.
 */
int sandbox_reading(void);

#endif
