/*
 * predate cmd [arg ...]: a Date field in local time, then standard input, to
 * cmd.  For messages whose readers like to see the sender's clock: the rest
 * of the suite writes UTC.  Exits as cmd does.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "base/spawn.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PREDATE_BLOCK = 16 * 1024, PREDATE_LINE_MAX = 80 };

static size_t
format_date(char line[PREDATE_LINE_MAX])
{
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t now = (time_t)clock_wall();
	struct tm t;
	long minutes;
	int n;

	if (localtime_r(&now, &t) == NULL)
		die(EX_TEMPORARY, "unable to tell the local time");
	minutes = labs(t.tm_gmtoff) / 60;
	n = snprintf(line, PREDATE_LINE_MAX,
	    "Date: %d %s %d %02d:%02d:%02d %c%02ld%02ld\n", t.tm_mday,
	    months[t.tm_mon % 12], t.tm_year + 1900, t.tm_hour, t.tm_min,
	    t.tm_sec, t.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
	return n > 0 && n < PREDATE_LINE_MAX ? (size_t)n : 0;
}

/* A command that stops reading is right to: its exit code tells the rest. */
static void
copy_input(int to, pid_t command)
{
	char block[PREDATE_BLOCK];
	size_t line = format_date(block);
	ssize_t got;

	if (io_write_all(to, block, line) != 0)
		return;
	while ((got = io_read(0, block, sizeof block)) > 0)
		if (io_write_all(to, block, (size_t)got) != 0)
			return;
	if (got == 0)
		return;
	/* It must not take the beginning for the whole. */
	kill(command, SIGKILL);
	die_errno(EX_TEMPORARY, "unable to read input");
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "predate",
		.flags = PROGRAM_KEEP_UMASK,
	};
	struct spawn s = { .fd_count = 3 };
	int fds[2], status;
	pid_t pid;

	program_begin(&program);
	if (argc < 2)
		die_usage("predate cmd [ arg ... ]");
	if (io_pipe(fds) != 0)
		die_errno(EX_TEMPORARY, "unable to create pipe");
	s.path = argv[1];
	s.argv = argv + 1;
	s.fds[0] = fds[0];
	s.fds[1] = 1;
	s.fds[2] = 2;
	s.exit_exec_perm = EX_PERMANENT;
	if (spawn_program(&s, &pid) != 0)
		die_errno(EX_TEMPORARY, "unable to run %s", argv[1]);
	io_close(&fds[0]);
	copy_input(fds[1], pid);
	io_close(&fds[1]);
	if (spawn_wait(pid, &status) != 0 || spawn_exit_code(status) < 0)
		die(EX_TEMPORARY, "%s crashed", argv[1]);
	return spawn_exit_code(status);
}
