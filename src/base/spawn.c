/*
 * Starting programs with vfork semantics.
 *
 * Between vfork and exec the child runs on our memory: it makes system calls
 * only, touches nothing but its own stack frames and *start_error, and our
 * signal handlers cannot run in it because all signals stay blocked until they
 * are reset.
 *
 * A child that becomes another user is forked: that user may stop it before
 * its exec, which nothing can block, and a vfork would stop us with it.
 */
#include "base/spawn.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SPAWN_PATHS_MAX = 32, /* directories of $PATH that are tried */
	SPAWN_PATH_BYTES = 4096,
	SPAWN_LOOK_MS = 20 /* between looks where there are no pidfds */
};

/* All candidate paths of a program, prepared before the vfork. */
struct candidates {
	const char *paths[SPAWN_PATHS_MAX];
	size_t count;
	char bytes[SPAWN_PATH_BYTES];
};

static int
candidates_add(
    struct candidates *c, size_t *used, struct strv dir, const char *name)
{
	size_t left = sizeof(c->bytes) - *used;
	struct strv where = dir.len == 0 ? STRV(".") : dir;
	int n = snprintf(
	    c->bytes + *used, left, STRV_FMT "/%s", STRV_ARG(where), name);

	if (n < 0 || (size_t)n >= left) {
		errno = ENAMETOOLONG;
		return QE_SYS;
	}
	c->paths[c->count++] = c->bytes + *used;
	*used += (size_t)n + 1;
	return 0;
}

static int
candidates_find(struct candidates *c, const char *name)
{
	const char *path = env_get("PATH");
	struct strv rest = strv_of(path == NULL ? "/usr/bin:/bin" : path);
	size_t used = 0;
	bool more = true;

	c->count = 0;
	if (strchr(name, '/') != NULL) {
		c->paths[c->count++] = name;
		return 0;
	}
	while (more && c->count < SPAWN_PATHS_MAX) {
		struct strv dir = strv_cut(&rest, ':', &more);

		if (candidates_add(c, &used, dir, name) != 0)
			break; /* the rest of an endless PATH is not searched */
	}
	return c->count == 0 ? QE_SYS : 0;
}

/*
 * The handlers our programs install would run on the parent's memory if they
 * were left until the exec; all else exec resets by itself.
 */
static void
child_signals(void)
{
	static const int reset[] = { SIGHUP, SIGINT, SIGTERM, SIGALRM, SIGCHLD,
		SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ };
	static const struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (size_t i = 0; i < sizeof(reset) / sizeof(*reset); i++)
		sigaction(reset[i], &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Puts each descriptor in its place.  Sources that are targets of others are
 * moved above all of them first, so that no target overwrites a source.
 */
static int
child_descriptors(const struct spawn *s)
{
	int from[SPAWN_FDS_MAX];

	for (size_t i = 0; i < s->fd_count; i++) {
		int fd = s->fds[i];

		from[i] = fd;
		if (fd == SPAWN_FD_NULL)
			fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		else if (fd < 0)
			continue;
		if (fd >= 0 && fd != (int)i && (size_t)fd < s->fd_count)
			fd = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_FDS_MAX);
		if (fd < 0)
			return QE_SYS;
		from[i] = fd;
	}
	for (size_t i = 0; i < s->fd_count; i++) {
		if (from[i] < 0)
			close((int)i);
		else if (from[i] == (int)i ? fcntl(from[i], F_SETFD, 0) < 0
					   : dup2(from[i], (int)i) < 0)
			return QE_SYS;
	}
	return 0;
}

static _Noreturn void
child_fail(const struct spawn *s, int code)
{
	if (s->start_error != NULL)
		*s->start_error = errno;
	_exit(code);
}

static _Noreturn void
child_run(const struct spawn *s, const struct candidates *c)
{
	int temp = s->exit_exec_temp != 0 ? s->exit_exec_temp : EX_TEMPORARY;
	int perm = s->exit_exec_perm != 0 ? s->exit_exec_perm : temp;

	if (s->own_group)
		setpgid(0, 0);
	if (child_descriptors(s) != 0)
		child_fail(s, temp);
	if (s->cwd != NULL && chdir(s->cwd) < 0)
		child_fail(s, s->exit_cwd != 0 ? s->exit_cwd : EX_TEMPORARY);
	if (s->set_ids && (setgroups(1, &s->gid) < 0 ||
			      setresgid(s->gid, s->gid, s->gid) < 0 ||
			      setresuid(s->uid, s->uid, s->uid) < 0))
		child_fail(s, temp);
	if (s->before != NULL)
		s->before(s->before_arg);
	child_signals();
	for (size_t i = 0; i < c->count; i++) {
		execve(
		    c->paths[i], s->argv, s->envp != NULL ? s->envp : environ);
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			child_fail(s, error_is_temporary(errno) ? temp : perm);
	}
	child_fail(s, perm);
}

int
spawn_program(const struct spawn *s, pid_t *pid)
{
	struct candidates c;
	sigset_t all, old;
	pid_t child;

	if (candidates_find(&c, s->path) != 0)
		return QE_SYS;
	if (s->start_error != NULL)
		*s->start_error = 0;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	child = s->set_ids ? fork() : vfork();
	if (child == 0)
		child_run(s, &c);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (child < 0)
		return QE_SYS;
	*pid = child;
	return 0;
}

char **
spawn_argv(const char *const *words)
{
	size_t count = 0, bytes = 0;
	char **argv;
	char *to;

	for (; words[count] != NULL; count++)
		bytes += strlen(words[count]) + 1;
	argv = malloc((count + 1) * sizeof(*argv) + bytes);
	if (argv == NULL)
		return NULL;
	to = (char *)(argv + count + 1);
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(words[i]) + 1;

		memcpy(to, words[i], n);
		argv[i] = to;
		to += n;
	}
	argv[count] = NULL;
	return argv;
}

int
spawn_argv_split(struct buf *line, char ***argv)
{
	const char *words[SPAWN_WORDS_MAX + 1];
	const char *text = buf_cstr(line);
	size_t count = 0;

	if (text == NULL)
		return line->err != 0 ? line->err : QE_SYNTAX;
	for (size_t i = 0; i < line->len; i++)
		if (line->data[i] == ' ' || line->data[i] == '\t')
			line->data[i] = '\0';
	for (size_t i = 0; i < line->len; i += strlen(text + i) + 1) {
		if (text[i] == '\0')
			continue;
		if (count == SPAWN_WORDS_MAX)
			return QE_LIMIT;
		words[count++] = text + i;
	}
	words[count] = NULL;
	*argv = NULL;
	if (count > 0)
		*argv = spawn_argv(words);
	return count > 0 && *argv == NULL ? QE_NOMEM : 0;
}

int
spawn_wait(pid_t pid, int *status)
{
	pid_t r;

	do
		r = waitpid(pid, status, 0);
	while (r < 0 && errno == EINTR);
	return r < 0 ? QE_SYS : 0;
}

int
spawn_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int
spawn_has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return errno == EINTR ? 0 : QE_SYS;
	return info.si_pid != 0;
}

int
spawn_wait_until(pid_t pid, int64_t deadline_ms, int *status)
{
	int pidfd = spawn_pidfd(pid);
	int r = pidfd < 0 ? 0 : io_wait(pidfd, POLLIN, deadline_ms);

	/* Without a descriptor for the process: look now and then. */
	if (pidfd < 0)
		while ((r = spawn_has_ended(pid)) == 0) {
			if (clock_mono_ms() >= deadline_ms) {
				r = QE_TIMEOUT;
				break;
			}
			clock_sleep_ms(SPAWN_LOOK_MS);
		}
	io_close(&pidfd);
	return r < 0 ? r : spawn_wait(pid, status);
}

void
spawn_kill_group(pid_t pid)
{
	int status;

	/* The leader itself, too: its group may not be made yet. */
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	if (spawn_wait(pid, &status) != 0)
		errno = 0;
}

int
spawn_exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
