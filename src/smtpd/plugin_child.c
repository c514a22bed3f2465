/*
 * Runs one plugin.  Its two pipes are emptied while it runs, so that it can
 * always write; what it has written before its end is in them by then, and
 * nobody waits for a background process that keeps them open.
 */
#include "smtpd/plugin_child.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/error.h"
#include "base/io.h"
#include "base/spawn.h"
#include "smtpd/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PIECE = 4096,     /* bytes read at a time */
	LOOK_MS = 20,     /* between looks where there are no pidfds */
	DRAIN_MAX = 16,   /* reads of each pipe after the end */
	ERROR_LINE = 400, /* bytes of a line that is logged */
	PATH_BYTES = 1024
};

struct running {
	const struct session *s;
	const char *name;
	pid_t pid;
	int pidfd, out_fd, err_fd;
	struct buf *output;
	struct buf error_line;
	size_t logged;
	bool is_lost;         /* its output cannot be read */
	volatile int failure; /* errno of what kept it from starting */
};

static void
log_error_line(struct running *r)
{
	if (r->error_line.len > 0 && r->logged <= PLUGIN_LOG_MAX)
		log_event(r->s, "plugin %s: " STRV_FMT, r->name,
		    STRV_ARG(buf_view(&r->error_line)));
	buf_reset(&r->error_line);
}

/* What it says on descriptor 2, line by line, until it is enough. */
static void
take_errors(struct running *r, struct strv bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		if (r->logged++ >= PLUGIN_LOG_MAX)
			return;
		if (bytes.ptr[i] == '\n' || r->error_line.len == ERROR_LINE)
			log_error_line(r);
		if (bytes.ptr[i] != '\n')
			buf_add_char(&r->error_line, bytes.ptr[i]);
	}
}

/* Reads once from *fd, which is closed at the end. */
static void
listen_to(struct running *r, int *fd)
{
	char piece[PIECE];
	ssize_t got = io_read(*fd, piece, sizeof(piece));

	if (got < 0 && errno == EAGAIN)
		return;
	/* What it has said may be a refusal. */
	if (got < 0 && fd == &r->out_fd)
		r->is_lost = true;
	if (got <= 0)
		io_close(fd);
	else if (fd == &r->err_fd)
		take_errors(r, strv_from(piece, (size_t)got));
	else
		buf_add(r->output, piece, (size_t)got);
}

/* 1: it has ended, 0: not yet, QE_TIMEOUT, QE_LIMIT, QE_SYS. */
static int
turn(struct running *r, int64_t deadline_ms)
{
	struct pollfd p[3] = {
		{.fd = r->out_fd,  .events = POLLIN},
		{ .fd = r->err_fd, .events = POLLIN},
		{ .fd = r->pidfd,  .events = POLLIN},
	};
	int64_t left = deadline_ms - clock_mono_ms();
	int64_t wait = r->pidfd < 0 && left > LOOK_MS ? LOOK_MS : left;
	int n;

	if (left <= 0)
		return QE_TIMEOUT;
	n = poll(p, 3, wait > INT_MAX ? INT_MAX : (int)wait);
	if (n < 0 && errno != EINTR)
		return QE_SYS;
	if (n > 0 && p[0].revents != 0)
		listen_to(r, &r->out_fd);
	if (n > 0 && p[1].revents != 0)
		listen_to(r, &r->err_fd);
	if (r->output->err != 0)
		return r->output->err;
	return spawn_has_ended(r->pid);
}

static void
drain(struct running *r, int *fd)
{
	for (int i = 0; i < DRAIN_MAX && *fd >= 0; i++) {
		struct pollfd p = { .fd = *fd, .events = POLLIN };

		if (poll(&p, 1, 0) <= 0)
			return;
		listen_to(r, fd);
	}
}

/* How it has ended, in words; NULL: well. */
static const char *
judge_end(struct running *r, int *result)
{
	int status;

	*result = spawn_wait(r->pid, &status);
	if (*result != 0)
		return error_result_text(*result);
	drain(r, &r->out_fd);
	drain(r, &r->err_fd);
	*result = r->output->err;
	if (*result != 0)
		return "says too much";
	*result = QE_TEMP;
	if (r->is_lost)
		return "what it says cannot be read";
	if (spawn_exit_code(status) < 0)
		return "crashed";
	if (spawn_exit_code(status) == PLUGIN_EXIT_EXEC)
		return "cannot be run";
	*result = 0;
	return NULL;
}

static int
attend(struct running *r, int64_t deadline_ms)
{
	const char *why;
	int result;

	do
		result = turn(r, deadline_ms);
	while (result == 0);
	if (result == 1) {
		why = judge_end(r, &result);
	} else {
		spawn_kill_group(r->pid);
		why = result == QE_TIMEOUT ? "no end in time"
		      : result == QE_LIMIT ? "says too much"
					   : error_result_text(result);
	}
	log_error_line(r);
	if (r->failure != 0)
		log_event(r->s, "plugin %s: unable to run: %s", r->name,
		    error_text(r->failure));
	else if (why != NULL)
		log_event(r->s, "plugin %s: %s", r->name, why);
	return result;
}

/* A bare word is a file of the home, not one of $PATH. */
static int
start(struct running *r, const struct plugin_child *child, int out_end,
    int err_end)
{
	char path[PATH_BYTES];
	struct spawn how = {
		.path = path,
		.argv = child->argv,
		.fds = {child->input_fd, out_end, err_end},
		.fd_count = 3,
		.own_group = true,
		.exit_exec_temp = PLUGIN_EXIT_EXEC,
		.start_error = &r->failure
	};
	char **environment = env_with(child->variables);
	int result;

	if (environment == NULL)
		return QE_NOMEM;
	how.envp = environment;
	snprintf(path, sizeof(path), "%s%s",
	    strchr(r->name, '/') == NULL ? "./" : "", r->name);
	result = spawn_program(&how, &r->pid);
	free(environment);
	return result;
}

static int
open_pipes(int out[2], int err[2])
{
	if (io_pipe(out) == 0 && io_pipe(err) == 0 &&
	    io_set_nonblocking(out[0], true) == 0 &&
	    io_set_nonblocking(err[0], true) == 0)
		return 0;
	return QE_SYS;
}

int
plugin_child_run(const struct session *s, const struct plugin_child *child,
    struct buf *output)
{
	struct running r = { .s = s,
		.name = child->argv[0],
		.output = output,
		.pidfd = -1,
		.out_fd = -1,
		.err_fd = -1 };
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };
	int result = open_pipes(out, err);

	r.out_fd = out[0];
	r.err_fd = err[0];
	if (result == 0)
		result = start(&r, child, out[1], err[1]);
	io_close(&out[1]);
	io_close(&err[1]);
	if (result != 0)
		log_event(s, "plugin %s: unable to start: %s", r.name,
		    error_result_text(result));
	if (result == 0) {
		r.pidfd = spawn_pidfd(r.pid);
		result = attend(&r, child->deadline_ms);
	}
	io_close(&r.pidfd);
	io_close(&r.out_fd);
	io_close(&r.err_fd);
	buf_free(&r.error_line);
	return result;
}
