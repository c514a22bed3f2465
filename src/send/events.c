/*
 * qmail-send waits here, and only here: for spawners, qmail-clean,
 * qmail-todo, bounces on their way, signals, and the next time in a schedule.
 */
#include "base/clock.h"
#include "send/send.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

enum {
	WAIT_MAX = 600,  /* seconds; the wall clock may be set meanwhile */
	WAIT_FRESH = 10, /* ... while a fresh message waits for its records */
	POLL_SLEEP_MS = 1000
};

enum polled {
	POLL_LOCAL,
	POLL_REMOTE = POLL_LOCAL + 2,
	POLL_CLEAN = POLL_REMOTE + 2,
	POLL_TODO = POLL_CLEAN + 2,
	POLL_INJECT = POLL_TODO + 2,
	POLL_COUNT = POLL_INJECT + INJECTORS
};

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When the oldest fresh message gets its records. */
static int64_t
next_record(const struct send *s)
{
	const struct message *m = s->messages.oldest;
	int64_t when = m->birth + send_fresh_age_max(s) + 1;

	if (m->wants_records)
		return s->now + WAIT_FRESH;
	return when > s->now ? when : s->now + 1;
}

static int64_t
next_event(const struct send *s)
{
	int64_t next = sooner(s->now + WAIT_MAX, entry_heap_next(&s->later));

	for (int c = 0; c < CHANNEL_COUNT; c++)
		if (lane_has_room(s, (enum channel)c))
			next = sooner(next, lane_next(s, (enum channel)c));
	if (s->loader.running && !s->exiting)
		next = sooner(next, s->loader.not_before);
	if (s->messages.oldest != NULL)
		next = sooner(next, next_record(s));
	return next < s->now ? s->now : next;
}

/* Two entries: what we write, while something waits, and what we read. */
static void
prepare(struct pollfd *p, const struct outpipe *out, int in_fd, bool lost)
{
	p[0] = (struct pollfd){ .fd = lost || outpipe_load(out) == 0 ? -1
								     : out->fd,
		.events = POLLOUT };
	p[1] = (struct pollfd){ .fd = lost ? -1 : in_fd, .events = POLLIN };
}

static void
dispatch(struct send *s, const struct pollfd p[POLL_COUNT])
{
	/* Answers that free a slot or memory before what takes one. */
	for (int c = 0; c < CHANNEL_COUNT; c++)
		if (p[POLL_LOCAL + 2 * c + 1].revents != 0)
			lane_read(s, (enum channel)c);
	if (p[POLL_CLEAN + 1].revents != 0)
		cleaner_read(s);
	for (int i = 0; i < INJECTORS; i++)
		if (p[POLL_INJECT + i].revents != 0)
			inject_read(s, &s->injectors[i]);
	if (p[POLL_TODO + 1].revents != 0)
		todo_client_read(s);
}

/*
 * ppoll(2) looks at descriptors first, and tells of no signal where one is
 * ready: without this a busy queue would never hear of its end.
 */
static void
let_signals_in(const sigset_t *none)
{
	const struct timespec at_once = { 0 };

	(void)ppoll(NULL, 0, &at_once, none);
}

void
events_wait(struct send *s)
{
	struct timespec wait = { .tv_sec = next_event(s) - s->now };
	struct pollfd p[POLL_COUNT];
	sigset_t none;
	int r;

	for (int c = 0; c < CHANNEL_COUNT; c++)
		prepare(&p[POLL_LOCAL + 2 * c], &s->lanes[c].requests,
		    s->lanes[c].reports_fd, s->lanes[c].lost);
	prepare(&p[POLL_CLEAN], &s->cleaner.requests, s->cleaner.replies_fd,
	    s->cleaner.lost);
	prepare(&p[POLL_TODO], &s->todo.out, s->todo.in_fd, s->todo.lost);
	for (int i = 0; i < INJECTORS; i++)
		p[POLL_INJECT + i] = (struct pollfd){ .fd = s->injectors[i].fd,
			.events = POLLIN };
	sigemptyset(&none);
	r = ppoll(p, POLL_COUNT, &wait, &none);
	if (r > 0) {
		let_signals_in(&none);
		dispatch(s, p);
	} else if (r < 0 && errno != EINTR) {
		slog_line(&s->log, "warning: trouble in select");
		clock_sleep_ms(POLL_SLEEP_MS);
	}
}
