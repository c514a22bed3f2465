/*
 * Groups of deliveries and whose turn it is: destinations that have something
 * to send take turns, a group at a time, as far as limits and workers go.
 */
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "mail/address.h"
#include "send/rspawn.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_BYTES = 512, NAME_SHOWN_MAX = 200 };

static const char nomem[] = "Zqmail-spawn out of memory. (#4.3.0)\n";

static void
put_in_turn(struct rspawn *r, struct destination *d)
{
	if (d->is_waiting)
		return;
	d->is_waiting = true;
	d->next_waiting = NULL;
	if (r->last_waiting != NULL)
		r->last_waiting->next_waiting = d;
	else
		r->first_waiting = d;
	r->last_waiting = d;
}

static struct destination *
take_turn(struct rspawn *r)
{
	struct destination *d = r->first_waiting;

	r->first_waiting = d->next_waiting;
	if (r->first_waiting == NULL)
		r->last_waiting = NULL;
	d->is_waiting = false;
	return d;
}

/* True if the delivery can be part of the group's transaction. */
static bool
joins(const struct group *g, const struct spawner_job *job, const char *id,
    size_t bytes)
{
	return g != NULL && g->count > 0 &&
	       g->count < REMOTE_LINK_RECIPIENTS_MAX && !g->is_alone &&
	       g->bytes + bytes <= GROUP_BYTES_MAX && strcmp(g->id, id) == 0 &&
	       strv_eq(buf_view(&g->jobs[0]->sender), buf_view(&job->sender));
}

static int
group_add(struct group *g, struct spawner_job *job, size_t bytes)
{
	if (g->count == g->cap) {
		unsigned cap = g->cap == 0 ? 1 : g->cap * 2;
		struct spawner_job **jobs =
		    reallocarray(g->jobs, cap, sizeof(*jobs));

		if (jobs == NULL)
			return QE_NOMEM;
		g->jobs = jobs;
		g->cap = cap;
	}
	/* One descriptor of the message is enough. */
	if (g->count > 0)
		io_close(&job->message_fd);
	g->jobs[g->count++] = job;
	g->bytes += bytes;
	job->owner = g;
	return 0;
}

static void
group_free(struct group *g)
{
	free(g->jobs);
	free(g);
}

static struct group *
group_new(struct rspawn *r, struct destination *d, const char *id)
{
	struct group *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->destination = d;
	g->since_ms = r->now_ms;
	snprintf(g->id, sizeof(g->id), "%s", id);
	if (d->last != NULL)
		d->last->next = g;
	else
		d->first = g;
	d->last = g;
	put_in_turn(r, d);
	return g;
}

static void
group_unlink_first(struct group *g)
{
	struct destination *d = g->destination;

	d->first = g->next;
	if (d->first == NULL)
		d->last = NULL;
	g->next = NULL;
}

void
dispatch_add(struct rspawn *r, struct spawner_job *job, const char *id)
{
	struct strv host = address_domain(buf_view(&job->recipient));
	size_t bytes = job->recipient.len + 1;
	struct destination *d = destination_get(r, host);
	struct group *g = d == NULL ? NULL : d->last;

	if (d != NULL &&
	    (stand_in_is_classic(r) || !joins(g, job, id, bytes))) {
		g = group_new(r, d, id);
		bytes += host.len + job->sender.len + 4;
	}
	if (g == NULL || group_add(g, job, bytes) != 0)
		spawner_finish(r->spawner, job, nomem);
}

void
group_end(struct rspawn *r, struct group *g, const char *report)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->jobs[i] != NULL) {
			g->jobs[i]->owner = NULL;
			spawner_finish(r->spawner, g->jobs[i], report);
		}
	group_free(g);
}

void
group_again(struct rspawn *r, struct group *g)
{
	struct destination *d = g->destination;

	g->next = d->first;
	d->first = g;
	if (d->last == NULL)
		d->last = g;
	put_in_turn(r, d);
}

/*
 * The classic way.  The first delivery takes the group's place; each further
 * one waits for its own.
 */
static void
run_classic(struct rspawn *r, struct group *g)
{
	struct spawner_job *job = g->jobs[0];
	const char *path = stand_in_path(r);
	struct spawn how = { .path = path,
		.exit_exec_temp = EX_TEMPORARY,
		.exit_exec_perm = EX_PERMANENT };
	char **argv = spawn_argv((const char *const[]){ path,
	    address_domain(buf_view(&job->recipient)).ptr, job->sender.data,
	    job->recipient.data, NULL });

	how.argv = argv;
	if (argv == NULL)
		spawner_finish(r->spawner, job, nomem);
	else
		spawner_run(r->spawner, job, &how);
	free(argv);
}

void
dispatch_released(struct rspawn *r, struct spawner_job *job)
{
	struct group *g = job->owner;

	job->owner = NULL;
	if (g == NULL)
		return;
	destination_heard(r, g, limiter_judge(buf_view(&job->output)));
	destination_ended(r, g);
	group_free(g);
}

static void
defer(struct rspawn *r, struct group *g, const char *why)
{
	char report[REPORT_BYTES];
	const struct destination *d = g->destination;

	snprintf(report, sizeof(report),
	    "Z" STRV_FMT " %s control/destinations. (#4.4.5)\n",
	    STRV_ARG(
		strv_head(strv_from(d->name, d->name_len), NAME_SHOWN_MAX)),
	    why);
	group_unlink_first(g);
	group_end(r, g, report);
}

/* Nobody knows what is to be run. */
static void
defer_unknown(struct rspawn *r, struct group *g, const char *trouble)
{
	char report[REPORT_BYTES];

	snprintf(report, sizeof(report), "Z%s. (#4.3.5)\n", trouble);
	group_unlink_first(g);
	group_end(r, g, report);
}

/*
 * A worker that was none may have read from the descriptor, and children must
 * not share one: each gets its own.
 */
static bool
reopen(struct rspawn *r, struct group *g, struct spawner_job *job)
{
	if (job->message_fd >= 0 && g->count == 1 && !g->is_alone)
		return true;
	io_close(&job->message_fd);
	job->message_fd =
	    open(g->id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (job->message_fd >= 0)
		return true;
	job->owner = NULL;
	spawner_finish(
	    r->spawner, job, "Zqmail-spawn unable to open message. (#4.3.0)\n");
	return false;
}

/* Deliveries that were to share a transaction: the last one by itself. */
static void
split_last(struct rspawn *r, struct group *g)
{
	struct spawner_job *job = g->jobs[--g->count];
	struct group *single = calloc(1, sizeof(*single));

	job->owner = NULL;
	if (single == NULL) {
		spawner_finish(r->spawner, job, nomem);
		return;
	}
	*single = *g;
	single->jobs = NULL;
	single->count = single->cap = 0;
	single->is_alone = true;
	if (group_add(single, job, 0) != 0) {
		free(single);
		spawner_finish(r->spawner, job, nomem);
		return;
	}
	g->next = single;
	if (g->destination->last == g)
		g->destination->last = single;
}

/* The first group's first delivery, the classic way. */
static void
start_classic(struct rspawn *r, struct group *g)
{
	struct spawner_job *job = g->jobs[0];
	bool is_open = reopen(r, g, job);

	while (g->count > 1)
		split_last(r, g);
	group_unlink_first(g);
	if (!is_open) {
		group_free(g);
		return;
	}
	destination_started(r, g);
	run_classic(r, g);
}

/* The first group of a destination: true if it has begun, or is answered. */
static bool
start_first(struct rspawn *r, struct destination *d, int64_t *when_us)
{
	struct group *g = d->first;
	const char *trouble = stand_in_trouble(r);

	/* No memory for its first delivery, which has been told. */
	if (g->count == 0) {
		group_unlink_first(g);
		group_free(g);
		return true;
	}
	if (trouble != NULL) {
		defer_unknown(r, g, trouble);
		return true;
	}
	destination_refresh(r, d);
	if (d->limiter.rule.concurrency == 0) {
		defer(r, g, "gets no mail for now, says");
		return true;
	}
	if (!destination_may_start(r, d, when_us)) {
		int64_t end_ms = g->since_ms + GROUP_WAIT_MS;

		if (r->now_ms >= end_ms) {
			defer(r, g,
			    "has too much to do for another message, or by");
			return true;
		}
		if (end_ms * 1000 < *when_us)
			*when_us = end_ms * 1000;
		return false;
	}
	if (!g->is_alone && !stand_in_is_classic(r)) {
		if (worker_take(r, g)) {
			group_unlink_first(g);
			destination_started(r, g);
			return true;
		}
		if (!stand_in_is_classic(r)) {
			int64_t again_us = (r->now_ms + WORKER_RETRY_MS) * 1000;

			if (again_us < *when_us)
				*when_us = again_us;
			return false;
		}
	}
	start_classic(r, g);
	return true;
}

int64_t
dispatch_turn(struct rspawn *r)
{
	int64_t when_us = LIMITER_NEVER;
	bool progress = true;

	while (progress && r->first_waiting != NULL) {
		struct destination *end = r->last_waiting, *d;

		progress = false;
		do {
			d = take_turn(r);
			if (start_first(r, d, &when_us))
				progress = true;
			if (d->first != NULL)
				put_in_turn(r, d);
		} while (d != end);
	}
	return when_us == LIMITER_NEVER ? IO_FOREVER : when_us / 1000 + 1;
}
