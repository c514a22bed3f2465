/*
 * What is next for a message: one function that looks at where it stands and
 * does what can be done, called after everything that happens to it.
 *
 * S4: todo/ is the record.  All delivered: todo goes, then mess.  Something
 * to remember: qmail-todo writes the records, then todo goes, and that is S5.
 * S5: failures go into bounce/, lists that are done go, then the bounce is
 * sent, info goes, then mess.
 */
#include "base/error.h"
#include "send/send.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
schedule_first(struct send *s, enum channel c, uint64_t id)
{
	while (schedule_add_first(&s->lanes[c].schedule, id) != 0)
		send_sleep_nomem(s);
}

void
schedule_retry(struct send *s, enum channel c, int64_t when, uint64_t id)
{
	while (schedule_add_retry(&s->lanes[c].schedule, when, id) != 0)
		send_sleep_nomem(s);
}

void
settle_later(struct send *s, int64_t when, uint64_t id)
{
	while (entry_heap_add(&s->later, when, id) != 0)
		send_sleep_nomem(s);
}

/* This step is not repeated before; then the message is settled again. */
static void
step_later(struct send *s, struct message *m, int64_t *not_before, int wait)
{
	*not_before = s->now + wait;
	settle_later(s, *not_before, m->id);
}

/* The next attempt, where a restart will find it. */
static void
store_time(struct send *s, struct message *m, enum channel c)
{
	const struct timespec when = { .tv_sec = m->tracks[c].retry };
	const struct timespec times[2] = { when, when };
	char path[QUEUE_PATH_MAX];

	message_path(s, m, s->lanes[c].area, path);
	if (utimensat(AT_FDCWD, path, times, 0) < 0)
		slog_warn_file(&s->log, "unable to utime", path,
		    "; message will be retried too soon");
}

/* The last marks were saved, for the list was to go: now they are needed. */
static void
empty_list(struct send *s, struct message *m, enum channel c)
{
	char path[QUEUE_PATH_MAX];

	message_path(s, m, s->lanes[c].area, path);
	if (truncate(path, 0) < 0)
		slog_warn_file(&s->log, "trouble marking", path,
		    "; message will be delivered twice!");
}

static void
list_done(struct send *s, struct message *m, enum channel c)
{
	struct track *t = &m->tracks[c];

	t->state = TRACK_NONE;
	if (m->fresh || !t->has_file ||
	    message_remove_file(s, m, s->lanes[c].area) == 0)
		return;
	empty_list(s, m, c);
	t->state = TRACK_WAITING;
	schedule_retry(s, c, s->now + RETRY_OWN_FAILURE, m->id);
}

static void
end_pass(struct send *s, struct message *m, enum channel c)
{
	struct track *t = &m->tracks[c];

	pass_close(s, m, c);
	if (t->left == 0 && !t->cut) {
		list_done(s, m, c);
		return;
	}
	if (t->cut && s->exiting)
		t->retry = s->now;
	t->state = TRACK_WAITING;
	schedule_retry(s, c, t->retry, m->id);
	if (!m->fresh)
		store_time(s, m, c);
}

/*
 * A list may only go, or be read again from disk, when its failures are in
 * bounce/.  One in memory knows by itself who has failed.
 */
static bool
pass_is_over(const struct message *m, enum channel c)
{
	const struct track *t = &m->tracks[c];

	return t->state == TRACK_PASS && t->exhausted && t->running == 0 &&
	       (m->notes.len == 0 || (m->recipient_count > 0 && t->left > 0));
}

static void
mark_failures(struct send *s, struct message *m)
{
	for (size_t at = 0; at < m->marks.len; at += sizeof(struct mark)) {
		struct mark mark;
		const struct track *t;

		memcpy(&mark, m->marks.data + at, sizeof(mark));
		t = &m->tracks[mark.channel];
		/* Lists that go at once need no mark. */
		if (t->has_file && (t->left > 0 || t->cut || !t->exhausted))
			pass_mark(s, m, mark.channel, mark.offset);
	}
	for (unsigned i = 0; i < m->recipient_count; i++)
		if (m->recipients[i].state == RECIPIENT_FAILED) {
			m->recipients[i].state = RECIPIENT_DONE;
			m->recipients[i].marked = true;
			m->recipients_left--;
		}
	buf_reset(&m->marks);
}

static void
flush_notes(struct send *s, struct message *m)
{
	char path[QUEUE_PATH_MAX];

	if (s->now < m->not_before)
		return;
	message_path(s, m, QUEUE_BOUNCE, path);
	if (bounce_append(path, buf_view(&m->notes)) != 0) {
		slog_line(&s->log, "alert: unable to append to bounce "
				   "message; HELP! sleeping...");
		step_later(s, m, &m->not_before, RETRY_BOUNCE_APPEND);
		return;
	}
	buf_reset(&m->notes);
	mark_failures(s, m);
}

static void
clean_todo(struct send *s, struct message *m)
{
	m->step = STEP_CLEANING;
	cleaner_ask(s, CLEAN_TODO, m->id);
}

static void
settle_s4(struct send *s, struct message *m)
{
	bool has_done = m->recipients_left < m->recipient_count;

	if (m->step != STEP_REST)
		return;
	if (m->has_records || m->recipients_left == 0) {
		if (s->now >= m->clean_not_before)
			clean_todo(s, m);
		return;
	}
	if (!m->wants_records && !(s->exiting && has_done))
		return;
	if (s->now >= m->not_before && !s->todo.lost) {
		m->step = STEP_WRITING;
		todo_client_write(s, m);
	}
}

/* What memory does not know about a list, the disk does. */
static int
track_look(struct send *s, struct message *m, enum channel c)
{
	struct track *t = &m->tracks[c];
	int r;

	if (t->state != TRACK_UNKNOWN)
		return 0;
	r = t->has_file ? message_has_file(s, m, s->lanes[c].area) : 0;
	if (r >= 0)
		t->state = r == 1 ? TRACK_WAITING : TRACK_NONE;
	return r < 0 ? r : 0;
}

static void
settle_s5(struct send *s, struct message *m)
{
	bool waiting = false;

	if (m->step != STEP_REST || m->notes.len > 0)
		return;
	for (int c = 0; c < CHANNEL_COUNT; c++)
		if (m->tracks[c].state == TRACK_PASS)
			return;
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		/* One list that waits is enough to know. */
		if (waiting || m->tracks[c].state == TRACK_WAITING) {
			waiting = true;
			continue;
		}
		if (track_look(s, m, (enum channel)c) != 0) {
			message_give_up(s, m);
			return;
		}
		waiting = m->tracks[c].state == TRACK_WAITING;
	}
	if (waiting)
		message_drop(s, m);
	else
		message_finish(s, m);
}

void
message_settle(struct send *s, struct message *m)
{
	if (!m->fresh && m->notes.len > 0)
		flush_notes(s, m);
	for (int c = 0; c < CHANNEL_COUNT; c++)
		if (pass_is_over(m, (enum channel)c))
			end_pass(s, m, (enum channel)c);
	if (m->fresh)
		settle_s4(s, m);
	else
		settle_s5(s, m);
}

void
settle_due(struct send *s)
{
	uint64_t id;

	while (entry_heap_take(&s->later, s->now, &id)) {
		int wait;
		struct message *m = message_open(s, id, &wait);

		if (m != NULL) {
			m->not_before = m->clean_not_before = 0;
			message_settle(s, m);
		} else if (wait > 0) {
			settle_later(s, s->now + wait, id);
		}
	}
}

/* From S4 to S5: what happened since the records were written is caught up. */
static void
catch_up(struct send *s, struct message *m, enum channel c)
{
	struct track *t = &m->tracks[c];

	if (!t->has_file)
		return;
	if (t->state == TRACK_UNKNOWN) { /* came with its records */
		t->state = TRACK_WAITING;
		schedule_first(s, c, m->id);
		return;
	}
	if (t->state == TRACK_NONE) {
		list_done(s, m, c);
		return;
	}
	for (unsigned i = 0; i < m->recipient_count; i++) {
		struct recipient *r = &m->recipients[i];

		if (r->channel != c || r->marked || r->state != RECIPIENT_DONE)
			continue;
		pass_mark(s, m, c, r->offset);
		r->marked = true;
	}
	if (t->state == TRACK_WAITING && t->retry != 0)
		store_time(s, m, c);
}

void
message_todo_cleaned(struct send *s, uint64_t id, bool done)
{
	struct message *m = message_find(s, id);

	if (m == NULL || m->step != STEP_CLEANING)
		return;
	m->step = STEP_REST;
	if (!done) {
		step_later(s, m, &m->clean_not_before, RETRY_OWN_FAILURE);
		return;
	}
	todo_client_tell(s, LINK_RELEASE, id);
	message_leave_s4(s, m);
	if (!m->has_records) {
		message_end(s, m);
		return;
	}
	m->not_before = 0;
	for (int c = 0; c < CHANNEL_COUNT; c++)
		catch_up(s, m, (enum channel)c);
	message_settle(s, m);
}

void
message_written(struct send *s, uint64_t id, bool done)
{
	struct message *m = message_find(s, id);

	if (m == NULL || m->step != STEP_WRITING)
		return;
	m->step = STEP_REST;
	m->has_records = done;
	if (done) {
		message_settle(s, m);
		return;
	}
	for (unsigned i = 0; i < m->recipient_count; i++)
		m->recipients[i].marked = false;
	for (int c = 0; c < CHANNEL_COUNT; c++)
		m->tracks[c].has_file = false;
	step_later(s, m, &m->not_before, RETRY_OWN_FAILURE);
	message_settle(s, m);
}
