/*
 * Deliveries begin: which recipient is next in a channel, and the slots of
 * running ones.
 */
#include "base/error.h"
#include "base/io.h"
#include "send/send.h"

#include <stdlib.h>
#include <sys/stat.h>

enum {
	REQUESTS_MAX = 1 << 20,  /* bytes of requests in memory */
	REQUESTS_FULL = 1 << 15, /* no more deliveries are started above */
	NOTES_FULL = 1 << 16,    /* bytes not yet in bounce/ */
	MESS_PREFIX = 5,         /* "mess/" */
	STARTS_PER_TURN = 64     /* then others get their turn */
};

static const struct lane_facts {
	const char *name;
	enum queue_area area;
	unsigned skip;
} facts[CHANNEL_COUNT] = {
	[CHANNEL_LOCAL] = {"local",   QUEUE_LOCAL,  10},
	[CHANNEL_REMOTE] = { "remote", QUEUE_REMOTE, 20},
};

int
lane_open(struct send *s, enum channel c, int requests_fd, int reports_fd)
{
	struct lane *lane = &s->lanes[c];
	struct spawn_limit limit;

	lane->channel = c;
	lane->name = facts[c].name;
	lane->area = facts[c].area;
	lane->skip = facts[c].skip;
	outpipe_init(&lane->requests, requests_fd, REQUESTS_MAX);
	lane->reports_fd = reports_fd;
	if (spawn_link_greeting(reports_fd, &limit) != 0)
		return QE_EOF;
	lane->limit = limit.limit;
	lane->number_bytes = lane->report.number_bytes = limit.number_bytes;
	lane->slots = calloc(lane->limit, sizeof(*lane->slots));
	lane->unused = calloc(lane->limit, sizeof(*lane->unused));
	if (c == CHANNEL_REMOTE)
		lane->shares = calloc(1, sizeof(*lane->shares));
	if (lane->slots == NULL || lane->unused == NULL ||
	    (c == CHANNEL_REMOTE && lane->shares == NULL))
		return QE_NOMEM;
	for (unsigned i = 0; i < lane->limit; i++)
		lane->unused[i] = lane->limit - 1 - i;
	if (io_set_nonblocking(requests_fd, true) != 0 ||
	    io_set_nonblocking(reports_fd, true) != 0)
		return QE_SYS;
	return 0;
}

bool
lane_has_room(const struct send *s, enum channel c)
{
	const struct lane *lane = &s->lanes[c];

	return !s->exiting && !lane->lost && lane->used < lane->concurrency &&
	       outpipe_load(&lane->requests) < REQUESTS_FULL;
}

/* The request is in the pipe's buffer, or nothing has happened. */
static bool
add_request(struct send *s, struct lane *lane, unsigned number,
    struct message *m, struct strv recipient)
{
	size_t mark = lane->requests.data.len;
	char path[QUEUE_PATH_MAX];

	message_path(s, m, QUEUE_MESS, path);
	spawn_link_add_request(&lane->requests.data, lane->number_bytes, number,
	    path + MESS_PREFIX, message_sender(m), recipient);
	return outpipe_keep(&lane->requests, mark);
}

/* NULL where shares are not counted. */
static struct share *
share_of(struct send *s, const struct lane *lane, struct strv recipient)
{
	struct share *share;

	if (lane->shares == NULL)
		return NULL;
	while ((share = share_get(lane->shares, recipient)) == NULL)
		send_sleep_nomem(s);
	return share;
}

static unsigned
free_places(const struct lane *lane)
{
	return lane->used < lane->concurrency ? lane->concurrency - lane->used
					      : 0;
}

/* Is there a place for the next recipient's domain? */
static bool
may_start(struct send *s, struct lane *lane, struct strv recipient)
{
	struct share *share = share_of(s, lane, recipient);
	bool may = share == NULL || share_may_start(share, free_places(lane));

	if (share != NULL)
		share_release(lane->shares, share);
	return may;
}

static const struct share *
start(struct send *s, struct message *m, enum channel c)
{
	struct lane *lane = &s->lanes[c];
	struct track *t = &m->tracks[c];
	unsigned number = lane->unused[lane->limit - lane->used - 1];
	struct slot *slot = &lane->slots[number];

	for (;;) {
		buf_reset(&slot->recipient);
		buf_add_view(&slot->recipient, t->next);
		if (slot->recipient.err == 0 &&
		    add_request(s, lane, number, m, t->next))
			break;
		send_sleep_nomem(s);
	}
	slot->message = m;
	slot->number = ++s->deliveries;
	slot->offset = t->next_offset;
	slot->index = t->next_index;
	slot->share = share_of(s, lane, t->next);
	if (slot->share != NULL)
		slot->share->running++;
	lane->used++;
	if (slot->index >= 0)
		m->recipients[slot->index].state = RECIPIENT_RUNNING;
	t->running++;
	t->left++;
	slog_safe(&s->log, t->next, "", "starting delivery %ju: msg %ju to %s ",
	    (uintmax_t)slot->number, (uintmax_t)m->id, lane->name);
	send_status(s);
	return slot->share;
}

/* Begins a pass: the message, or NULL and it has been seen to. */
static struct message *
begin(struct send *s, enum channel c, uint64_t id)
{
	int wait, r;
	struct message *m = message_open(s, id, &wait);

	if (m == NULL && wait > 0)
		schedule_retry(s, c, s->now + wait, id);
	if (m == NULL || m->tracks[c].state == TRACK_PASS ||
	    m->tracks[c].state == TRACK_NONE)
		return NULL;
	r = pass_begin(s, m, c);
	if (r == 0)
		return m;
	if (r == QE_TEMP) {
		m->tracks[c].state = TRACK_WAITING;
		schedule_retry(s, c, s->now + RETRY_OWN_FAILURE, id);
	} else {
		m->tracks[c].state = TRACK_NONE;
	}
	message_settle(s, m);
	return NULL;
}

/* True if the message has to wait for its domain. */
static bool
must_park(struct send *s, struct message *m, enum channel c, bool is_retry)
{
	struct lane *lane = &s->lanes[c];
	uint64_t id = m->id;
	struct share *share;

	if (lane->shares == NULL || !pass_peek(s, m, c) ||
	    may_start(s, lane, m->tracks[c].next))
		return false;
	share = share_of(s, lane, m->tracks[c].next);
	pass_cancel(s, m, c);
	message_settle(s, m);
	while (share_park(lane->shares, share, s->now, id, is_retry) != 0)
		send_sleep_nomem(s);
	return true;
}

/*
 * A message whose pass can begin now, or NULL.  Entries that turn out to be
 * obsolete are skipped, some of them in a turn.
 */
static struct message *
take_new(struct send *s, enum channel c)
{
	struct lane *lane = &s->lanes[c];
	uint64_t id;

	for (int i = 0; i < STARTS_PER_TURN; i++) {
		struct message *m;
		bool is_retry;

		if (lane->shares != NULL &&
		    share_take(lane->shares, free_places(lane), s->now, &id)) {
			m = begin(s, c, id);
			if (m != NULL)
				return m;
			continue;
		}
		if (!schedule_take(&lane->schedule, s->now, &id))
			return NULL;
		is_retry = schedule_took_retry(&lane->schedule);
		m = begin(s, c, id);
		if (m != NULL && !must_park(s, m, c, is_retry))
			return m;
	}
	return NULL;
}

static struct message *
open_take(struct lane *lane)
{
	struct message *m = lane->open[lane->open_head];

	lane->open_head = (lane->open_head + 1) % PASSES_OPEN_MAX;
	lane->open_count--;
	return m;
}

static void
open_add(struct lane *lane, struct message *m)
{
	unsigned at = lane->open_head + lane->open_count;

	lane->open[at % PASSES_OPEN_MAX] = m;
	lane->open_count++;
}

/* The pass is over before its time, and comes again soon. */
static void
cut_short(struct track *t, int64_t when)
{
	t->exhausted = t->cut = true;
	if (t->retry > when)
		t->retry = when;
}

/* Others need the memory of a list that can go on with nothing. */
static void
give_way(struct send *s, enum channel c)
{
	struct message *m = open_take(&s->lanes[c]);

	cut_short(&m->tracks[c], s->now + BLOCKED_RETRY);
	message_settle(s, m);
}

/* The first list whose next recipient can be started. */
static struct message *
take_open(struct send *s, enum channel c)
{
	struct lane *lane = &s->lanes[c];

	for (unsigned i = lane->open_count; i > 0; i--) {
		struct message *m = open_take(lane);

		if (may_start(s, lane, m->tracks[c].next))
			return m;
		open_add(lane, m);
	}
	if (lane->open_count == PASSES_OPEN_MAX)
		give_way(s, c);
	return NULL;
}

/*
 * The next message to start a recipient of.  Lists that are open take turns,
 * and every other start belongs to a message that comes new: so a huge list
 * holds up nobody, nor is it held up for ever.
 */
static struct message *
choose(struct send *s, enum channel c)
{
	struct lane *lane = &s->lanes[c];
	bool may_take_new = lane->open_count < PASSES_OPEN_MAX;
	struct message *m = NULL;

	lane->open_turn = !lane->open_turn;
	if (may_take_new && (lane->open_count == 0 || !lane->open_turn))
		m = take_new(s, c);
	if (m == NULL && lane->open_count > 0) {
		m = take_open(s, c);
		if (m == NULL && may_take_new && lane->open_turn)
			m = take_new(s, c);
	}
	lane->stalled = m == NULL;
	return m;
}

/* One recipient, and those behind it that can share its transaction. */
static void
start_some(struct send *s, struct message *m, enum channel c)
{
	struct lane *lane = &s->lanes[c];
	const struct share *share = NULL;

	for (int i = 0; i < BURST_MAX && lane_has_room(s, c); i++) {
		struct strv next;

		if (!pass_peek(s, m, c))
			return;
		next = m->tracks[c].next;
		if (i > 0 &&
		    (share == NULL || share_of(s, lane, next) != share ||
			!share_may_start(share, free_places(lane)))) {
			/* Made only for the comparison? */
			if (lane->shares != NULL)
				share_release(
				    lane->shares, share_of(s, lane, next));
			return;
		}
		share = start(s, m, c);
		pass_advance(m, c);
	}
}

/* A list that is held between two of its recipients (qmail-hold(8)). */
static bool
is_held(const struct track *t)
{
	struct stat st;

	return t->chunk != NULL && fstat(t->fd, &st) == 0 &&
	       (st.st_mode & S_ISVTX) != 0;
}

void
lane_fill(struct send *s, enum channel c)
{
	for (int i = 0; i < STARTS_PER_TURN && lane_has_room(s, c); i++) {
		struct message *m = choose(s, c);

		if (m == NULL)
			return;
		/* Failures that nobody can write down must not pile up. */
		if (m->notes.len > NOTES_FULL)
			m->tracks[c].exhausted = m->tracks[c].cut = true;
		else if (pass_peek(s, m, c) && is_held(&m->tracks[c]))
			cut_short(&m->tracks[c], s->now + HELD_RETRY);
		start_some(s, m, c);
		if (pass_peek(s, m, c))
			open_add(&s->lanes[c], m);
		else
			message_settle(s, m);
	}
}

int64_t
lane_next(const struct send *s, enum channel c)
{
	const struct lane *lane = &s->lanes[c];

	if (!lane->stalled &&
	    (lane->open_count > 0 ||
		(lane->shares != NULL && lane->shares->waiting > 0)))
		return s->now;
	return schedule_next(&lane->schedule, s->now);
}

void
lane_cut(struct send *s, enum channel c)
{
	struct lane *lane = &s->lanes[c];

	while (lane->open_count > 0) {
		struct message *m = open_take(lane);

		m->tracks[c].exhausted = m->tracks[c].cut = true;
		message_settle(s, m);
	}
}
