/*
 * qmail-remote host sender recipient ...: sends the message on descriptor 0
 * by SMTP or QMTP and reports on descriptor 1 (qmail-remote(8)).  Always exits
 * 0.
 *
 * Runs as qmailr below qmail-rspawn, which hands it the message's descriptor.
 * Reads control/ and queue/lock/tcpto of the home; writes tcpto and
 * cache/remote/notls only.  Says nothing on descriptor 2, which is the report
 * pipe too.  Runs bin/qmail-tlsd for TLS and bin/qmail-digest for AUTH: what is
 * needed rarely and starts slowly is not linked here.
 */
#include "base/error.h"
#include "base/program.h"
#include "remote/remote.h"
#include "remote/resident.h"

#include <unistd.h>

enum { ARGUMENTS_MIN = 3 };

static void
run(struct report *report, char **argv)
{
	struct errand errand = {
		.host = strv_of(argv[1]), .sender = strv_of(argv[2]), .fd = 0
	};
	struct remote remote;

	if (remote_init(&remote, report) == 0)
		remote_deliver(&remote, &errand, report);
	remote_free(&remote);
}

int
main(int argc, char **argv)
{
	static const struct program program = { .name = "qmail-remote",
		.flags = PROGRAM_FD0 | PROGRAM_FD1,
		.umask = 022 };
	static const char nomem[] = "ZOut of memory. (#4.3.0)\n";
	struct report report;
	size_t recipients =
	    argc > ARGUMENTS_MIN ? (size_t)argc - ARGUMENTS_MIN : 0;
	int r;

	program_begin(&program);
	if (argc <= 1 && resident_is_wanted())
		return resident_serve();
	r = report_init(&report, argv + ARGUMENTS_MIN, recipients);
	if (r == 0) {
		if (recipients == 0)
			report_set(&report, 'D',
			    "I (qmail-remote) was invoked improperly. "
			    "(#5.3.5)");
		else
			run(&report, argv);
		r = report_write(&report, 1);
		report_free(&report);
	}
	/* With its NUL; a lost report means a lost reader. */
	if (r == QE_NOMEM && write(1, nomem, sizeof(nomem)) < 0)
		return 0;
	return 0;
}
