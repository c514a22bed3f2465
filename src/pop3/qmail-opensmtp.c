/*
 * qmail-opensmtp [-v] [-w seconds]: sweeps the directory of control/opensmtp,
 * where qmail-popup notes logins for qmail-smtpd.
 *
 * Run by the owner of the home, now and then by cron or always as a service.
 * Touches nothing but files whose names are IP addresses.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/options.h"
#include "base/program.h"
#include "conf/control.h"
#include "conf/opensmtp.h"

#include <limits.h>
#include <stdio.h>

enum { WAIT_LEAST = 1, WAIT_MOST = 86400 }; /* seconds between two sweeps */

struct sweeper {
	int64_t wait; /* seconds; 0: once */
	bool verbose;
};

static void
report(uint64_t removed)
{
	char text[80];
	int n = snprintf(
	    text, sizeof(text), "removed %llu\n", (unsigned long long)removed);

	if (n > 0 && io_write_all(1, text, (size_t)n) != 0)
		die_errno(EX_TEMPORARY, "unable to write");
}

/* Controls are read each time, so that a service needs no restart. */
static void
sweep(const struct sweeper *s)
{
	struct buf directory = BUF_LIMIT(PATH_MAX);
	struct control_error err;
	int64_t lifetime;
	uint64_t removed = 0;
	int r = control_int(CTL_OPENSMTPTIME, &lifetime, &err);

	if (r == 0)
		r = control_line(CTL_OPENSMTP, &directory, &err);
	if (r != 0 && r != QE_ABSENT)
		die(EX_TEMPORARY, "%s", err.text);
	if (r == 0 && directory.len > 0) {
		if (buf_cstr(&directory) == NULL)
			die_nomem();
		if (opensmtp_sweep(
			directory.data, lifetime, clock_wall(), &removed) != 0)
			die_errno(
			    EX_TEMPORARY, "unable to read %s", directory.data);
	}
	buf_free(&directory);
	if (s->verbose)
		report(removed);
}

static struct sweeper
read_options(int argc, char **argv)
{
	static const char usage[] = "qmail-opensmtp [-v] [-w seconds]";
	struct sweeper s = { 0 };
	struct options o;
	uint64_t seconds;
	int letter;

	options_init(&o, argc, argv, "vw:");
	while ((letter = options_next(&o)) != -1)
		if (letter == 'v')
			s.verbose = true;
		else if (letter == 'w' &&
			 strv_to_u64(strv_of(o.arg), WAIT_MOST, &seconds) ==
			     0 &&
			 seconds >= WAIT_LEAST)
			s.wait = (int64_t)seconds;
		else
			die_usage(usage);
	if (o.index < argc)
		die_usage(usage);
	return s;
}

int
main(int argc, char **argv)
{
	static const struct program program = { "qmail-opensmtp", PROGRAM_HOME,
		022 };
	struct sweeper s;

	program_begin(&program);
	s = read_options(argc, argv);
	for (;;) {
		sweep(&s);
		if (s.wait == 0)
			return EX_SUCCESS;
		clock_sleep_ms(s.wait * 1000);
	}
}
