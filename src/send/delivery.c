/*
 * Deliveries: which recipient is next in a channel, the slots of running
 * ones, and what becomes of their reports.
 */
#include "base/error.h"
#include "base/io.h"
#include "send/send.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	REQUESTS_MAX = 1 << 20,  /* bytes of requests in memory */
	REQUESTS_FULL = 1 << 15, /* no more deliveries are started above */
	REPORT_CHUNK = 1 << 16,
	MESS_PREFIX = 5,     /* "mess/" */
	STARTS_PER_TURN = 64 /* then others get their turn */
};

static const char too_long[] =
    "I'm not going to try again; this message has been in the queue too "
    "long.\n";

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
	if (lane->slots == NULL || lane->unused == NULL)
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

static void
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
	lane->used++;
	if (slot->index >= 0)
		m->recipients[slot->index].state = RECIPIENT_RUNNING;
	t->running++;
	t->left++;
	slog_safe(&s->log, t->next, "", "starting delivery %ju: msg %ju to %s ",
	    (uintmax_t)slot->number, (uintmax_t)m->id, lane->name);
	send_status(s);
}

/*
 * A message whose pass can begin now, or NULL.  Entries that turn out to be
 * obsolete are skipped, some of them in a turn.
 */
static struct message *
take_new(struct send *s, enum channel c)
{
	uint64_t id;

	for (int i = 0; i < STARTS_PER_TURN; i++) {
		struct message *m;
		int wait, r;

		if (!schedule_take(&s->lanes[c].schedule, s->now, &id))
			return NULL;
		m = message_open(s, id, &wait);
		if (m == NULL && wait > 0)
			schedule_retry(s, c, s->now + wait, id);
		if (m == NULL || m->tracks[c].state == TRACK_PASS ||
		    m->tracks[c].state == TRACK_NONE)
			continue;
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

/*
 * The next message to start a recipient of.  Lists that are open take turns,
 * and every other start belongs to a message that comes new: so a huge list
 * holds up nobody, nor is it held up for ever.
 */
static struct message *
choose(struct send *s, enum channel c)
{
	struct lane *lane = &s->lanes[c];
	struct message *m = NULL;

	lane->open_turn = !lane->open_turn;
	if (lane->open_count == 0 ||
	    (!lane->open_turn && lane->open_count < PASSES_OPEN_MAX))
		m = take_new(s, c);
	if (m == NULL && lane->open_count > 0)
		m = open_take(lane);
	return m;
}

void
lane_fill(struct send *s, enum channel c)
{
	for (int i = 0; i < STARTS_PER_TURN && lane_has_room(s, c); i++) {
		struct message *m = choose(s, c);

		if (m == NULL)
			return;
		if (pass_peek(s, m, c)) {
			start(s, m, c);
			pass_advance(m, c);
		}
		if (pass_peek(s, m, c))
			open_add(&s->lanes[c], m);
		else
			message_settle(s, m);
	}
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

static void
note_failure(struct send *s, struct message *m, enum channel c,
    const struct slot *slot, struct strv report)
{
	struct mark mark = { c, slot->offset };

	for (;;) {
		size_t notes = m->notes.len, marks = m->marks.len;

		bounce_add_paragraph(&m->notes,
		    resolver_strip_prepend(
			s->resolver, buf_view(&slot->recipient)),
		    report);
		buf_add(&m->marks, (const char *)&mark, sizeof(mark));
		if (m->notes.err == 0 && m->marks.err == 0)
			break;
		m->notes.err = m->marks.err = 0;
		buf_truncate(&m->notes, notes);
		buf_truncate(&m->marks, marks);
		send_sleep_nomem(s);
	}
	if (slot->index >= 0)
		m->recipients[slot->index].state = RECIPIENT_FAILED;
	m->tracks[c].left--;
	m->wants_records = true;
}

/* The mark is saved where the whole list goes in the same moment. */
static void
note_success(
    struct send *s, struct message *m, enum channel c, const struct slot *slot)
{
	struct track *t = &m->tracks[c];

	t->left--;
	if (slot->index >= 0) {
		m->recipients[slot->index].state = RECIPIENT_DONE;
		m->recipients_left--;
	}
	if (m->fresh ||
	    (t->exhausted && !t->cut && t->left == 0 && m->notes.len == 0))
		return;
	pass_mark(s, m, c, slot->offset);
	if (slot->index >= 0)
		m->recipients[slot->index].marked = true;
}

static void
note_deferral(struct message *m, const struct slot *slot)
{
	if (slot->index >= 0)
		m->recipients[slot->index].state = RECIPIENT_LEFT;
	m->wants_records = true;
}

static void
log_result(struct send *s, uint64_t number, const char *what, struct strv text,
    const char *tail)
{
	slog_safe(
	    &s->log, text, tail, "delivery %ju: %s: ", (uintmax_t)number, what);
	send_status(s);
}

/* The letter decides; at the end of a message's life Z is D. */
static void
report_done(struct send *s, struct lane *lane, struct slot *slot)
{
	struct message *m = slot->message;
	struct track *t = &m->tracks[lane->channel];
	struct spawn_report *r = &lane->report;
	struct strv text = strv_from(r->text + 1, r->len == 0 ? 0 : r->len - 1);
	char letter = r->len == 0 ? '\0' : r->text[0];
	struct buf whole = BUF_INIT;

	if (letter == 'Z' && t->is_last) {
		buf_add_view(&whole, text);
		buf_add_str(&whole, too_long);
		text = whole.err == 0 ? buf_view(&whole) : STRV(too_long);
		letter = 'D';
	}
	t->running--;
	switch (letter) {
	case 'K':
		log_result(s, slot->number, "success", text, "");
		note_success(s, m, lane->channel, slot);
		break;
	case 'D':
		log_result(s, slot->number, "failure", text, "");
		note_failure(s, m, lane->channel, slot, text);
		break;
	case 'Z':
		log_result(s, slot->number, "deferral", text, "");
		note_deferral(m, slot);
		break;
	default:
		slog_line(&s->log, "delivery %ju: report mangled, will defer",
		    (uintmax_t)slot->number);
		send_status(s);
		note_deferral(m, slot);
		break;
	}
	buf_free(&whole);
	message_settle(s, m);
}

static void
report_complete(struct send *s, struct lane *lane)
{
	unsigned number = lane->report.number;
	struct slot *slot;

	if (number >= lane->limit || lane->slots[number].message == NULL) {
		slog_line(&s->log, "warning: internal error: delivery report "
				   "out of range");
		return;
	}
	slot = &lane->slots[number];
	lane->used--;
	lane->unused[lane->limit - lane->used - 1] = number;
	report_done(s, lane, slot);
	slot->message = NULL;
}

void
lane_read(struct send *s, enum channel c)
{
	struct lane *lane = &s->lanes[c];
	char bytes[REPORT_CHUNK];
	ssize_t got = io_read(lane->reports_fd, bytes, sizeof(bytes));
	struct strv rest;

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (got <= 0) {
		lane->lost = true;
		send_lose_helper(s, "spawn");
		return;
	}
	rest = strv_from(bytes, (size_t)got);
	while (rest.len > 0) {
		bool complete;
		size_t used = spawn_report_feed(&lane->report, rest, &complete);

		rest = strv_skip(rest, used);
		if (!complete)
			continue;
		report_complete(s, lane);
		spawn_report_reset(&lane->report);
	}
}
