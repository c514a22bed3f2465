/*
 * preline [-frdFRD] [-p] program ...: feeds the program From_, Return-Path
 * and Delivered-To lines (lower case leaves one out) and then the message.
 * With -p a program that stops reading early is no error.
 */
#include "base/buf.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/options.h"
#include "base/program.h"
#include "base/spawn.h"
#include "local/tool.h"

#include <errno.h>

enum { COPY_BYTES = 32768 };

static const struct program program = { .name = "preline",
	.flags = PROGRAM_FD0 | PROGRAM_KEEP_UMASK };

struct settings {
	bool no_from, no_return_path, no_delivered, may_stop_early;
	char **argv;
};

static void
read_settings(int argc, char **argv, struct settings *out)
{
	static const char usage[] = "preline [ -frdFRDp ] program [ arg ... ]";
	struct options options;
	int letter;

	*out = (struct settings){ .argv = argv };
	options_init(&options, argc, argv, "frdFRDp");
	while ((letter = options_next(&options)) >= 0) {
		if (letter == '?')
			die_usage(usage);
		if (letter == 'f' || letter == 'F')
			out->no_from = letter == 'f';
		else if (letter == 'r' || letter == 'R')
			out->no_return_path = letter == 'r';
		else if (letter == 'd' || letter == 'D')
			out->no_delivered = letter == 'd';
		else
			out->may_stop_early = true;
	}
	if (options.index >= argc)
		die_usage(usage);
	out->argv = argv + options.index;
}

static void
make_lines(const struct settings *settings, struct buf *out)
{
	if (!settings->no_from)
		buf_add_view(out, tool_variable("UFLINE"));
	if (!settings->no_return_path)
		buf_add_view(out, tool_variable("RPLINE"));
	if (!settings->no_delivered)
		buf_add_view(out, tool_variable("DTLINE"));
	if (out->err != 0)
		die_nomem();
}

/* Starts the program with a pipe as its input; returns our end. */
static int
start(char *const *argv, pid_t *pid, volatile int *start_error)
{
	struct spawn s = {
		.path = argv[0],
		.argv = argv,
		.fds = {-1, 1, 2},
		.fd_count = 3,
		.start_error = start_error
	};
	int ends[2];

	if (io_pipe(ends) != 0)
		die_errno(EX_TEMPORARY, "unable to create pipe");
	s.fds[0] = ends[0];
	if (spawn_program(&s, pid) != 0)
		die_errno(EX_TEMPORARY, "unable to fork");
	io_close(&ends[0]);
	return ends[1];
}

/* 0, or errno of the write that failed. */
static int
feed(int fd, struct strv lines)
{
	char block[COPY_BYTES];
	ssize_t got;

	if (io_write_all(fd, lines.ptr, lines.len) != 0)
		return errno;
	while ((got = io_read(0, block, sizeof(block))) > 0)
		if (io_write_all(fd, block, (size_t)got) != 0)
			return errno;
	/* Our exit before the wait: the program's word must not count. */
	if (got < 0)
		die_errno(EX_TEMPORARY, "unable to read message");
	return 0;
}

int
main(int argc, char **argv)
{
	volatile int start_error = 0;
	struct settings settings;
	struct buf lines = BUF_INIT;
	int fd, trouble, status, code;
	pid_t pid;

	program_begin(&program);
	read_settings(argc, argv, &settings);
	make_lines(&settings, &lines);
	fd = start(settings.argv, &pid, &start_error);
	trouble = feed(fd, buf_view(&lines));
	io_close(&fd);
	if (spawn_wait(pid, &status) != 0)
		die_errno(EX_TEMPORARY, "unable to wait");
	code = spawn_exit_code(status);
	errno = start_error;
	if (start_error != 0)
		die_errno(EX_TEMPORARY, "unable to run %s", settings.argv[0]);
	if (code < 0)
		die(EX_TEMPORARY, "child crashed");
	errno = trouble;
	if (code == EX_SUCCESS && trouble != 0 &&
	    (trouble != EPIPE || !settings.may_stop_early))
		die_errno(EX_TEMPORARY, "unable to write to program");
	buf_free(&lines);
	return code;
}
