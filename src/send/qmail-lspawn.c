/*
 * qmail-lspawn: starts qmail-local for each local delivery, as its user.
 *
 * Runs as root (or, without root, for its own uid only).  Reads users/cdb;
 * what is not in it a process without rights looks up in the password
 * database.  Descriptor 0: requests, 1: reports.  Never runs anything as root,
 * and parses nothing but requests of qmail-send and users/cdb.
 */
#include "base/cdb.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "conf/mailbox.h"
#include "mail/address.h"
#include "send/lookup.h"
#include "send/spawner.h"
#include "send/spawner_slots.h"

#include <stdlib.h>
#include <unistd.h>

enum { LOOKUP_SECONDS = 60 /* from the request to an answer */ };

static const struct program program = { .name = "qmail-lspawn",
	.flags = PROGRAM_HOME | PROGRAM_FD0 | PROGRAM_FD1,
	.umask = 077 };

struct lspawn {
	const char *default_delivery;
	const char *home;
	struct buf assign_path; /* absolute: we do not stay at home */
	struct cdb_reader *assign;
	struct lookup lookup;
	struct spawner_job *asked; /* whose answer we wait for, or NULL */
};

static void
run_local(
    struct spawner *s, struct spawner_job *job, const struct user_entry *entry)
{
	struct lspawn *l = s->context;
	struct buf local = BUF_LIMIT(SPAWNER_ADDRESS_MAX);
	struct strv recipient = buf_view(&job->recipient);
	struct spawn how = { .path = "bin/qmail-local",
		.cwd = l->home,
		.set_ids = geteuid() == 0,
		.uid = entry->uid,
		.gid = entry->gid,
		.exit_exec_temp = QL_EXEC_TEMP,
		.exit_exec_perm = QL_EXEC_PERM,
		.exit_cwd = QL_EXEC_TEMP };
	char **argv;

	buf_add_view(&local, address_local(recipient));
	if (buf_cstr(&local) == NULL) {
		spawner_finish_code(s, job, QL_LSPAWN_NOMEM);
		return;
	}
	argv = spawn_argv((const char *const[]){ how.path, "--", entry->user,
	    entry->home, local.data, entry->dash, entry->ext,
	    address_domain(recipient).ptr, job->sender.data,
	    l->default_delivery, NULL });
	how.argv = argv;
	if (argv == NULL)
		spawner_finish_code(s, job, QL_LSPAWN_NOMEM);
	else
		spawner_run(s, job, &how);
	free(argv);
	buf_free(&local);
}

/* The user is known: is it one we may become? */
static void
deliver_as(
    struct spawner *s, struct spawner_job *job, const struct user_entry *entry)
{
	switch (mailbox_rights(entry, geteuid())) {
	case MAILBOX_IS_ROOT:
		spawner_finish_code(s, job, QL_ROOT);
		return;
	case MAILBOX_NOT_OURS:
		spawner_finish(s, job,
		    "ZThis mail system runs without root and cannot deliver "
		    "as another user. (#4.3.5)\n");
		return;
	case MAILBOX_MAY:
		run_local(s, job, entry);
		return;
	}
}

static void
begin(struct spawner *s, struct spawner_job *job)
{
	struct lspawn *l = s->context;
	struct strv local = address_local(buf_view(&job->recipient));
	struct user_entry entry = { .bytes = BUF_INIT };
	int r;

	if (local.len == 0) {
		spawner_finish(s, job, "K");
		return;
	}
	r = users_find_assigned(l->assign_path.data, local, &l->assign, &entry);
	if (r == 0)
		deliver_as(s, job, &entry);
	else if (r == QE_ABSENT)
		job->deadline_ms = clock_deadline(LOOKUP_SECONDS);
	else
		spawner_finish_code(
		    s, job, r == QE_NOMEM ? QL_LSPAWN_NOMEM : QL_CDB);
	user_entry_free(&entry);
}

/* The job that has waited longest for the password database. */
static struct spawner_job *
first_waiting(const struct spawner *s)
{
	struct spawner_job *first = NULL;

	for (unsigned i = 0, seen = 0; i < s->slots && seen < s->busy; i++) {
		struct spawner_job *job = &s->jobs[i];

		seen += job->state != JOB_FREE;
		if (job->state == JOB_WAITING &&
		    (first == NULL || job->serial < first->serial))
			first = job;
	}
	return first;
}

/* The look-up process is no use any more; the next question starts another. */
static void
give_up(struct spawner *s, struct spawner_job *job)
{
	struct lspawn *l = s->context;

	if (job == l->asked || l->asked == NULL) {
		lookup_stop(&l->lookup);
		l->asked = NULL;
	}
	spawner_finish_code(s, job, QL_LSPAWN_TEMP);
}

/* Asks for the next job, and defers those that have waited too long. */
static int64_t
tick(struct spawner *s)
{
	struct lspawn *l = s->context;
	struct spawner_job *job;

	while ((job = first_waiting(s)) != NULL) {
		if (job->deadline_ms <= clock_mono_ms()) {
			give_up(s, job);
			continue;
		}
		if (l->asked != NULL ||
		    lookup_ask(&l->lookup,
			address_local(buf_view(&job->recipient))) == 0)
			break;
		give_up(s, job);
	}
	if (job != NULL && l->asked == NULL)
		l->asked = job;
	return job == NULL ? IO_FOREVER : job->deadline_ms;
}

static int
side_fd(const struct spawner *s)
{
	const struct lspawn *l = s->context;

	return l->lookup.fd;
}

static void
side_ready(struct spawner *s)
{
	struct lspawn *l = s->context;
	struct user_entry entry = { .bytes = BUF_INIT };
	struct spawner_job *job = l->asked;
	int code = QL_LSPAWN_TEMP;
	int r = lookup_answer(&l->lookup, &code, &entry);

	if (r != 0 || job == NULL) {
		/* Dead, or it speaks unasked. */
		lookup_stop(&l->lookup);
		l->asked = NULL;
		if (job != NULL)
			spawner_finish_code(s, job, QL_LSPAWN_TEMP);
	} else {
		l->asked = NULL;
		if (code == 0)
			deliver_as(s, job, &entry);
		else
			spawner_finish_code(s, job, code);
	}
	user_entry_free(&entry);
}

/* Its number may belong to another process from now on. */
static void
reaped(struct spawner *s, pid_t pid)
{
	struct lspawn *l = s->context;

	if (l->lookup.pid == pid)
		l->lookup.pid = 0;
}

int
main(int argc, char **argv)
{
	static const struct spawner_role role = { .output_max =
						      SPAWNER_LOCAL_OUTPUT_MAX,
		.report = spawner_report_local,
		.begin = begin,
		.side_fd = side_fd,
		.side_ready = side_ready,
		.tick = tick,
		.reaped = reaped };
	struct lspawn l = { .home = program_home() };
	struct spawner s;

	program_begin(&program);
	if (argc != 2)
		die_usage("qmail-lspawn defaultdelivery");
	l.default_delivery = argv[1];
	buf_addf(&l.assign_path, "%s/users/cdb", l.home);
	if (buf_cstr(&l.assign_path) == NULL)
		die_nomem();
	lookup_init(&l.lookup);
	lookup_require_ids(&l.lookup);
	if (lookup_start(&l.lookup) != 0)
		die_errno(EX_TEMPORARY, "unable to fork");
	spawner_serve(
	    &s, &role, &l, spawner_slots_wanted(CTL_CONCURRENCYLOCAL));
	lookup_stop(&l.lookup);
	return EX_SUCCESS;
}
