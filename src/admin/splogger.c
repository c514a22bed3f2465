/*
 * splogger: lines of standard input to syslog, with a time stamp of their
 * own.
 *
 * Run by qmail-start as qmaill.  Reads descriptor 0 until it ends, opens
 * nothing but the system log.
 */
#include "admin/logline.h"
#include "base/die.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"

#include <stdlib.h>
#include <syslog.h>
#include <time.h>

enum {
	INPUT_BUFFER = 4096,
	FACILITY_MAIL = 2,
	FACILITY_MAX = 23,
	FACILITY_SHIFT = 3
};

/* All pieces of a line carry the stamp of the first. */
static void
send_to_syslog(void *context, const struct logline *piece)
{
	struct timespec *stamp = context;

	if (!piece->continued)
		clock_gettime(CLOCK_REALTIME, stamp);
	syslog(piece->priority, "%lld.%06ld%c%s", (long long)stamp->tv_sec,
	    stamp->tv_nsec / 1000, piece->continued ? '+' : ' ', piece->text);
}

int
main(int argc, char **argv)
{
	static const struct program program = { "splogger", 0, 077 };
	static struct logline line;
	char input[INPUT_BUFFER];
	uint64_t facility = FACILITY_MAIL;
	struct timespec stamp = { 0, 0 };
	ssize_t n;

	program_begin(&program);
	if (argc > 3 || (argc == 3 && strv_to_u64(strv_of(argv[2]),
					  FACILITY_MAX, &facility) != 0))
		die_usage("splogger [tag [facility]]");
	openlog(argc > 1 ? argv[1] : "splogger", 0,
	    (int)facility << FACILITY_SHIFT);
	while ((n = io_read(0, input, sizeof(input))) > 0)
		logline_feed(
		    &line, strv_from(input, (size_t)n), send_to_syslog, &stamp);
	logline_end(&line, send_to_syslog, &stamp);
	return n == 0 ? EX_SUCCESS : EX_TEMPORARY;
}
