/*
 * Deliveries end: reports of the spawners, and what becomes of each recipient.
 */
#include "base/error.h"
#include "base/io.h"
#include "send/send.h"

#include <errno.h>

enum { REPORT_CHUNK = 1 << 16 };

static const char too_long[] =
    "I'm not going to try again; this message has been in the queue too "
    "long.\n";

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
	lane->stalled = false;
	lane->unused[lane->limit - lane->used - 1] = number;
	if (slot->share != NULL) {
		slot->share->running--;
		share_release(lane->shares, slot->share);
		slot->share = NULL;
	}
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
