/*
 * The preprocessor's pipes, seen from qmail-send: starts qmail-todo, takes
 * its new messages, has it write records.
 */
#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/spawn.h"
#include "send/send.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TODO_OUT_MAX = 1 << 27, /* bytes; all fresh messages at once */
	TODO_IN_MAX = 1 << 18,
	TODO_READ = 1 << 16,
	ORIGIN_MAX = 64, /* bytes of "> qp <n> uid <n>" */
	TODO_LOCK_FD = 3
};

static int
spawn_todo(struct send *s, int in_fd, int out_fd)
{
	char name[] = "qmail-todo";
	char *argv[] = { name, NULL };
	/* The lock is shared: as long as either process lives, nobody else
	 * writes records in this queue. */
	struct spawn spawn = {
		.path = name,
		.argv = argv,
		.fds = {in_fd, out_fd,
			SPAWN_FD_NULL, [TODO_LOCK_FD] = s->lock_fd},
		.fd_count = TODO_LOCK_FD + 1
	};

	return spawn_program(&spawn, &s->todo.pid);
}

int
todo_client_start(struct send *s)
{
	struct todo_client *t = &s->todo;
	struct link_message grant = { .type = LINK_GRANT,
		.count = LINK_FRESH_MAX };
	int to[2], from[2], r;

	t->in = (struct buf)BUF_LIMIT(TODO_IN_MAX);
	if (io_pipe(to) != 0)
		return QE_SYS;
	if (io_pipe(from) != 0) {
		io_close(&to[0]);
		io_close(&to[1]);
		return QE_SYS;
	}
	r = spawn_todo(s, to[0], from[1]);
	io_close(&to[0]);
	io_close(&from[1]);
	outpipe_init(&t->out, to[1], TODO_OUT_MAX);
	t->in_fd = from[0];
	if (r != 0 || io_set_nonblocking(to[1], true) != 0 ||
	    io_set_nonblocking(from[0], true) != 0)
		return QE_SYS;
	link_encode(&t->out.data, &grant);
	return t->out.data.err;
}

static void
tell(struct send *s, const struct link_message *message)
{
	struct outpipe *out = &s->todo.out;

	for (;;) {
		size_t mark = out->data.len;

		if (s->todo.lost)
			return;
		link_encode(&out->data, message);
		if (outpipe_keep(out, mark))
			return;
		send_sleep_nomem(s);
	}
}

void
todo_client_tell(struct send *s, enum link_type type, uint64_t id)
{
	struct link_message message = { .type = type, .id = id };

	tell(s, &message);
}

void
todo_client_write(struct send *s, struct message *m)
{
	struct link_message message = { .type = LINK_WRITE,
		.id = m->id,
		.birth = m->birth,
		.text = message_sender(m),
		.recipient_count = m->recipient_count };

	for (unsigned i = 0; i < m->recipient_count; i++) {
		struct recipient *r = &m->recipients[i];

		r->marked = r->state == RECIPIENT_DONE;
		if (!r->marked)
			m->tracks[r->channel].has_file = true;
		message.recipients[i] = (struct link_recipient){ r->channel,
			r->marked, message_recipient(m, i) };
	}
	s->todo.writing++;
	tell(s, &message);
}

static void
log_arrival(struct send *s, const struct link_message *l)
{
	struct buf end = BUF_LIMIT(ORIGIN_MAX);

	slog_line(&s->log, "new msg %ju", (uintmax_t)l->id);
	buf_addf(&end, "> qp %ju uid %ju", (uintmax_t)l->qp, (uintmax_t)l->uid);
	slog_safe(&s->log, l->text, end.err == 0 ? buf_cstr(&end) : ">",
	    "info msg %ju: bytes %ju from <", (uintmax_t)l->id,
	    (uintmax_t)l->size);
	buf_free(&end);
}

/* Its recipients go into memory, with the places of their later records. */
static void
take_recipients(struct message *m, const struct link_message *l)
{
	uint64_t offsets[CHANNEL_COUNT] = { 0 };

	for (size_t i = 0; i < l->recipient_count; i++) {
		const struct link_recipient *r = &l->recipients[i];

		m->recipients[i] =
		    (struct recipient){ .at = (uint32_t)m->text.len,
			    .len = (uint32_t)r->address.len,
			    .offset = offsets[r->channel],
			    .channel = r->channel };
		offsets[r->channel] += r->address.len + 2;
		buf_add_view(&m->text, r->address);
		m->tracks[r->channel].state = TRACK_WAITING;
	}
	m->recipient_count = m->recipients_left = (unsigned)l->recipient_count;
}

static struct message *
arrival(struct send *s, const struct link_message *l)
{
	struct message *m = message_add(s, l->id);

	m->birth = l->birth;
	m->text.max = 2 * LINK_MESSAGE_MAX;
	do {
		buf_reset(&m->text);
		buf_add_view(&m->text, l->text);
		m->sender_len = l->text.len;
		for (int c = 0; c < CHANNEL_COUNT; c++)
			m->tracks[c].state = TRACK_NONE;
		take_recipients(m, l);
		if (m->text.err != 0)
			send_sleep_nomem(s);
	} while (m->text.err != 0);
	message_enter_s4(s, m);
	loader_note(s, l->id);
	log_arrival(s, l);
	return m;
}

static void
take_fresh(struct send *s, const struct link_message *l)
{
	struct message *m = arrival(s, l);

	for (int c = 0; c < CHANNEL_COUNT; c++)
		if (m->tracks[c].state == TRACK_WAITING)
			schedule_first(s, (enum channel)c, m->id);
	message_settle(s, m);
}

static void
take_queued(struct send *s, const struct link_message *l)
{
	struct message *m = arrival(s, l);

	m->has_records = true;
	for (int c = 0; c < CHANNEL_COUNT; c++)
		if ((l->count >> c & 1) != 0) {
			m->tracks[c].state = TRACK_UNKNOWN;
			m->tracks[c].has_file = true;
		}
	message_settle(s, m);
}

/*
 * qmail-clean will not ask twice, and the number may be in use again since
 * qmail-todo has looked.
 */
static void
take_stray(struct send *s, uint64_t id)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;

	queue_path(&s->layout, QUEUE_MESS, id, path);
	if (message_find(s, id) != NULL || cleaner_has(s, id) ||
	    lstat(path, &st) < 0 || st.st_atime + LINK_LEFTOVER_AGE >= s->now)
		return;
	/* An empty envelope first: without mess it would never be found. */
	cleaner_ask(s, CLEAN_TODO, id);
	cleaner_ask(s, CLEAN_STRAY, id);
}

/* QE_SYNTAX if qmail-todo may not say that. */
static int
take(struct send *s, const struct link_message *l)
{
	switch (l->type) {
	case LINK_FRESH:
	case LINK_QUEUED:
		/* What comes at the end is found again at the next start. */
		if (s->exiting)
			return 0;
		if (message_find(s, l->id) != NULL) /* the next search */
			todo_client_tell(s, LINK_RELEASE, l->id);
		else if (l->type == LINK_FRESH)
			take_fresh(s, l);
		else
			take_queued(s, l);
		return 0;
	case LINK_WRITTEN:
		if (s->todo.writing > 0)
			s->todo.writing--;
		message_written(s, l->id, l->count == 1);
		return 0;
	case LINK_NOTE:
		slog_line(&s->log, STRV_FMT, STRV_ARG(l->text));
		return 0;
	case LINK_STRAY:
		take_stray(s, l->id);
		return 0;
	case LINK_LOOK:
		while (idset_add(&s->due, l->id) != 0)
			send_sleep_nomem(s);
		return 0;
	case LINK_GRANT:
	case LINK_RELEASE:
	case LINK_WRITE:
	case LINK_REREAD:
	case LINK_STOP:
		break;
	}
	return QE_SYNTAX;
}

static void
lose(struct send *s)
{
	s->todo.lost = true;
	send_lose_helper(s, "qmail-todo");
}

/* All whole messages; what is left waits for its rest. */
static void
take_all(struct send *s)
{
	struct buf *in = &s->todo.in;
	size_t at = 0;
	int r;

	for (;;) {
		struct link_message l;
		size_t used;

		r = link_decode(strv_skip(buf_view(in), at), &l, &used);
		if (r == 0)
			r = take(s, &l);
		if (r != 0)
			break;
		at += used;
	}
	if (r != QE_EOF)
		lose(s);
	buf_consume(in, at);
}

void
todo_client_read(struct send *s)
{
	struct todo_client *t = &s->todo;
	char *to;
	ssize_t got;

	while ((to = buf_reserve(&t->in, TODO_READ)) == NULL) {
		t->in.err = 0;
		send_sleep_nomem(s);
	}
	got = io_read(t->in_fd, to, TODO_READ);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (got <= 0) {
		lose(s);
		return;
	}
	t->in.len += (size_t)got;
	take_all(s);
}

void
todo_client_end(struct send *s)
{
	int status;

	io_close(&s->todo.out.fd);
	io_close(&s->todo.in_fd);
	if (s->todo.pid > 0 && spawn_wait(s->todo.pid, &status) != 0)
		errno = 0; /* somebody else has seen its end */
}
