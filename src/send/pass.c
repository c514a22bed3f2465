/*
 * One pass over a recipient list: every recipient that is left is started
 * once.  The list is a local or remote file, read in pieces, or, for a fresh
 * message, in memory.  A message has at most one pass per channel.
 */
#include "base/error.h"
#include "base/io.h"
#include "send/send.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct chunk *
chunk_take(struct send *s, enum channel c)
{
	struct chunk *chunk = s->lanes[c].spare_chunks;

	if (chunk != NULL)
		s->lanes[c].spare_chunks = chunk->next;
	else
		while ((chunk = malloc(sizeof(*chunk))) == NULL)
			send_sleep_nomem(s);
	chunk->base = chunk->pos = chunk->len = 0;
	chunk->eof = false;
	return chunk;
}

static void
chunk_give(struct send *s, enum channel c, struct track *t)
{
	if (t->chunk == NULL)
		return;
	t->chunk->next = s->lanes[c].spare_chunks;
	s->lanes[c].spare_chunks = t->chunk;
	t->chunk = NULL;
}

static int
open_list(struct send *s, struct message *m, enum channel c)
{
	struct track *t = &m->tracks[c];
	char path[QUEUE_PATH_MAX];

	message_path(s, m, s->lanes[c].area, path);
	t->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (t->fd >= 0)
		return 0;
	if (errno == ENOENT)
		return QE_ABSENT;
	slog_warn_file(
	    &s->log, "trouble opening", path, "; will try again later");
	return QE_TEMP;
}

int
pass_begin(struct send *s, struct message *m, enum channel c)
{
	struct track *t = &m->tracks[c];
	int64_t dies;

	if (m->recipient_count == 0) {
		int r = open_list(s, m, c);

		if (r != 0)
			return r;
		t->chunk = chunk_take(s, c);
	}
	if (__builtin_add_overflow(m->birth, s->config.lifetime, &dies))
		dies = INT64_MAX;
	t->state = TRACK_PASS;
	t->exhausted = t->cut = false;
	t->is_last = s->now > dies;
	t->running = 0;
	t->left = 0;
	t->retry_before = t->retry;
	t->retry = schedule_retry_time(m->birth, s->now, s->lanes[c].skip);
	t->next_index = -1;
	return 0;
}

static bool
peek_memory(struct message *m, enum channel c)
{
	struct track *t = &m->tracks[c];

	for (int i = t->next_index < 0 ? 0 : t->next_index;
	     i < (int)m->recipient_count; i++) {
		const struct recipient *r = &m->recipients[i];

		if (r->channel != c || r->state != RECIPIENT_LEFT)
			continue;
		t->next = message_recipient(m, (unsigned)i);
		t->next_offset = r->offset;
		t->next_index = i;
		return true;
	}
	return false;
}

/* More of the list behind what is not used yet: 0, QE_SYNTAX, QE_SYS. */
static int
chunk_read(struct track *t)
{
	struct chunk *k = t->chunk;
	size_t room;
	ssize_t got;

	memmove(k->data, k->data + k->pos, k->len - k->pos);
	k->base += k->pos;
	k->len -= k->pos;
	k->pos = 0;
	room = sizeof(k->data) - k->len;
	if (k->eof || room == 0)
		return QE_SYNTAX; /* a record without its end */
	do
		got = pread(
		    t->fd, k->data + k->len, room, (off_t)(k->base + k->len));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return QE_SYS;
	k->len += (size_t)got;
	k->eof = (size_t)got < room;
	return 0;
}

/* 1: t->next is a recipient; 0: end of the list; QE_SYNTAX, QE_SYS. */
static int
peek_file(struct track *t)
{
	struct chunk *k = t->chunk;

	for (;;) {
		struct strv rest = strv_from(k->data + k->pos, k->len - k->pos);
		size_t end = strv_find(rest, '\0');
		int r;

		if (end == STRV_NPOS) {
			if (k->eof && rest.len == 0)
				return 0;
			r = chunk_read(t);
			if (r != 0)
				return r;
			continue;
		}
		if (rest.ptr[0] == 'T') {
			t->next = strv_from(rest.ptr + 1, end - 1);
			t->next_offset = k->base + k->pos;
			return 1;
		}
		if (rest.ptr[0] != 'D')
			return QE_ABSENT;
		k->pos += end + 1;
	}
}

bool
pass_peek(struct send *s, struct message *m, enum channel c)
{
	struct track *t = &m->tracks[c];
	char path[QUEUE_PATH_MAX];
	int r;

	if (t->exhausted)
		return false;
	r = t->chunk == NULL ? peek_memory(m, c) : peek_file(t);
	if (r == 1)
		return true;
	t->exhausted = true;
	chunk_give(s, c, t);
	if (r == 0)
		return false;
	t->cut = true;
	message_path(s, m, s->lanes[c].area, path);
	if (r == QE_ABSENT)
		slog_warn_file(&s->log, "unknown record type in", path, "!");
	else
		slog_warn_file(
		    &s->log, "trouble reading", path, "; will try again later");
	return false;
}

void
pass_advance(struct message *m, enum channel c)
{
	struct track *t = &m->tracks[c];

	if (t->chunk != NULL)
		t->chunk->pos += t->next.len + 2;
	else
		t->next_index++;
}

void
pass_close(struct send *s, struct message *m, enum channel c)
{
	struct track *t = &m->tracks[c];

	io_close(&t->fd);
	chunk_give(s, c, t);
}

void
pass_cancel(struct send *s, struct message *m, enum channel c)
{
	struct track *t = &m->tracks[c];

	pass_close(s, m, c);
	t->state = TRACK_WAITING;
	t->retry = t->retry_before;
}

/*
 * One byte over the T.  It is not synced: after a power cut the recipient may
 * get the message twice, and no delivery waits for a disk.
 */
void
pass_mark(struct send *s, struct message *m, enum channel c, uint64_t offset)
{
	struct track *t = &m->tracks[c];
	char path[QUEUE_PATH_MAX];

	message_path(s, m, s->lanes[c].area, path);
	if (t->fd < 0)
		t->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (t->fd < 0 || pwrite(t->fd, "D", 1, (off_t)offset) != 1)
		slog_warn_file(&s->log, "trouble marking", path,
		    "; message will be delivered twice!");
	if (t->state != TRACK_PASS)
		io_close(&t->fd);
}
