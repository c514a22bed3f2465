/*
 * qmail-rspawn: starts qmail-remote for each remote delivery.
 *
 * Runs as qmailr.  Descriptor 0: requests, 1: reports.  Clears lock/tcpto at
 * its start; looks nothing up and parses only requests and what qmail-remote
 * says.
 */
#include "base/die.h"
#include "base/env.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "mail/address.h"
#include "send/spawner.h"
#include "send/spawner_slots.h"
#include "spool/tcpto.h"

#include <stdlib.h>

static const struct program program = { .name = "qmail-rspawn",
	.flags = PROGRAM_HOME | PROGRAM_FD0 | PROGRAM_FD1,
	.umask = 077 };

struct rspawn {
	const char *path; /* of qmail-remote or what stands in its place */
};

static void
begin(struct spawner *s, struct spawner_job *job)
{
	const struct rspawn *r = s->context;
	struct spawn how = { .path = r->path,
		.exit_exec_temp = EX_TEMPORARY,
		.exit_exec_perm = EX_PERMANENT };
	char **argv = spawn_argv((const char *const[]){ r->path,
	    address_domain(buf_view(&job->recipient)).ptr, job->sender.data,
	    job->recipient.data, NULL });

	how.argv = argv;
	if (argv == NULL)
		spawner_finish(
		    s, job, "Zqmail-spawn out of memory. (#4.3.0)\n");
	else
		spawner_run(s, job, &how);
	free(argv);
}

int
main(void)
{
	static const struct spawner_role role = { .output_max =
						      SPAWNER_REMOTE_OUTPUT_MAX,
		.report = spawner_report_remote,
		.begin = begin };
	struct rspawn r = { .path = env_get("QMAILREMOTE") };
	struct spawner s;

	program_begin(&program);
	if (r.path == NULL || *r.path == '\0')
		r.path = "qmail-remote";
	/* Without the file no address is ever skipped: nothing to clear. */
	if (tcpto_clear() != 0)
		warn("unable to clear queue/lock/tcpto");
	spawner_serve(
	    &s, &role, &r, spawner_slots_wanted(CTL_CONCURRENCYREMOTE));
	return EX_SUCCESS;
}
