/*
 * Starting programs with vfork semantics: the child shares our memory until
 * it execs, so a large parent pays nothing for its size.
 */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SPAWN_FDS_MAX = 16, SPAWN_FD_NULL = -2, SPAWN_WORDS_MAX = 64 };

struct spawn {
	const char *path; /* with '/': that file; else searched in $PATH */
	char *const *argv;
	char *const *envp; /* NULL: ours */
	const char *cwd;   /* NULL: ours */
	/* fd i of the child is fds[i] of ours, for i < fd_count; -1: closed,
	 * SPAWN_FD_NULL: /dev/null.  All others are closed if they are
	 * close-on-exec, as all of ours are. */
	int fds[SPAWN_FDS_MAX];
	size_t fd_count;
	bool own_group; /* leads a process group, to be killed as one */
	bool set_ids;   /* uid, gid, and gid as the only group */
	uid_t uid;
	gid_t gid;
	int exit_cwd;       /* exit code if cwd cannot be entered; 0: 111 */
	int exit_exec_temp; /* exit code if exec fails for now; 0: 111 */
	int exit_exec_perm; /* ... for good; 0: as exit_exec_temp */
	/* If not NULL: called in the child before its exec, with descriptors
	 * in place and signals blocked.  On our memory: it may call the
	 * system and write to its own stack, nothing else. */
	void (*before)(void *arg);
	void *before_arg;
	/* If not NULL: 0, or errno of what kept the program from starting;
	 * valid when spawn_program has returned 0.  Not with set_ids. */
	volatile int *start_error;
};

/*
 * 0 and the child's pid, or QE_SYS.  Signals in the child: none blocked,
 * SIGPIPE, SIGXFSZ and handled ones at the default action.  A failing exec
 * shows as one of the exit codes above.
 */
int spawn_program(const struct spawn *s, pid_t *pid);

/*
 * A copy of a NULL-terminated list of words that execve(2) accepts as argv;
 * NULL without memory.  One block: the caller frees it.
 */
char **spawn_argv(const char *const *words);
/*
 * The same of a line that blanks (SP, TAB) divide into words, and which is
 * changed.  0 and *argv, NULL for a line without a word; QE_LIMIT (more than
 * SPAWN_WORDS_MAX); QE_NOMEM.
 */
int spawn_argv_split(struct buf *line, char ***argv);

/* waitpid(2), EINTR retried: 0 or QE_SYS. */
int spawn_wait(pid_t pid, int *status);
/*
 * The same with a deadline, in milliseconds of clock_mono_ms(): 0 and status,
 * QE_TIMEOUT (the child runs on), QE_SYS.
 */
int spawn_wait_until(pid_t pid, int64_t deadline_ms, int *status);
/* 1 when the child has ended and waits for spawn_wait, 0 if not, or QE_SYS. */
int spawn_has_ended(pid_t pid);
/* Readable when the child has ended; close-on-exec; -1 on old kernels. */
int spawn_pidfd(pid_t pid);
/*
 * Kills the process group that pid leads (own_group), and takes its leader's
 * status, however long that takes.
 */
void spawn_kill_group(pid_t pid);
/* Exit code, or -1 if a signal ended it. */
int spawn_exit_code(int status);

#endif
