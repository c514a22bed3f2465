/*
 * qmail-rspawn: has remote deliveries made by qmail-remote (rspawn.h tells
 * how the parts work together).
 *
 * Runs as qmailr.  Descriptor 0: requests, 1: reports.  Clears lock/tcpto at
 * its start; looks nothing up and parses only requests, what qmail-remote
 * says, control/destinations and control/qmailremote.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/env.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "send/rspawn.h"
#include "send/spawner_slots.h"
#include "spool/tcpto.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

static const struct program program = { .name = "qmail-rspawn",
	.flags = PROGRAM_HOME | PROGRAM_FD0 | PROGRAM_FD1,
	.umask = 077 };

/* Control files, when there is something to do and they may have changed. */
static void
look(struct rspawn *r)
{
	if (r->looked_ms != 0 && r->now_ms - r->looked_ms < RULES_LOOK_MS)
		return;
	if (fchdir(r->home_fd) < 0)
		return;
	r->looked_ms = r->now_ms;
	destination_rules_look(r);
	stand_in_look(r);
	if (fchdir(r->mess_fd) < 0)
		die_errno(EX_TEMPORARY, "unable to return to queue/mess");
}

static void
begin(struct spawner *s, struct spawner_job *job)
{
	struct rspawn *r = s->context;

	r->now_ms = clock_mono_ms();
	look(r);
	dispatch_add(r, job, s->request.id.data);
}

static void
released(struct spawner *s, struct spawner_job *job)
{
	dispatch_released(s->context, job);
}

static int
side_fd(const struct spawner *s)
{
	const struct rspawn *r = s->context;

	return r->epoll_fd;
}

static void
side_ready(struct spawner *s)
{
	struct rspawn *r = s->context;

	r->now_ms = clock_mono_ms();
	workers_ready(r);
}

static void
reaped(struct spawner *s, pid_t pid)
{
	struct rspawn *r = s->context;

	r->now_ms = clock_mono_ms();
	worker_reaped(r, pid);
}

static int64_t
tick(struct spawner *s)
{
	struct rspawn *r = s->context;
	int64_t next, retire;

	r->now_ms = clock_mono_ms();
	if (r->first_waiting != NULL)
		look(r);
	next = dispatch_turn(r);
	retire = workers_retire(r);
	destinations_forget(r);
	return next < retire ? next : retire;
}

int
main(void)
{
	static const struct spawner_role role = { .output_max =
						      SPAWNER_REMOTE_OUTPUT_MAX,
		.report = spawner_report_remote,
		.begin = begin,
		.side_fd = side_fd,
		.side_ready = side_ready,
		.tick = tick,
		.reaped = reaped,
		.released = released };
	static struct rspawn r;
	static struct spawner s;

	program_begin(&program);
	/* Without the file no address is ever skipped: nothing to clear. */
	if (tcpto_clear() != 0)
		warn("unable to clear queue/lock/tcpto");
	r.spawner = &s;
	tls_helper_init(&r.tls);
	r.packet = (struct buf)BUF_LIMIT(REMOTE_LINK_PACKET_MAX);
	r.home_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r.mess_fd = open("queue/mess", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r.home_fd < 0 || r.mess_fd < 0)
		die_errno(EX_TEMPORARY, "unable to switch to queue/mess");
	if (r.epoll_fd < 0)
		die_errno(EX_TEMPORARY, "unable to wait");
	spawner_serve(
	    &s, &role, &r, spawner_slots_wanted(CTL_CONCURRENCYREMOTE));
	return EX_SUCCESS;
}
