/*
 * The messages that something happens to right now, by id.  All others are
 * entries of the schedules and files.
 *
 * Memory of ended messages is kept for the next ones, so that a delivery
 * allocates nothing in the long run.
 */
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "send/send.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	KEPT_BYTES = 16384, /* a spare message keeps buffers up to here */
	INFO_BYTES_MAX = 65536,
	NOTES_MAX = 1 << 30 /* what is running may all fail */
};

static struct message **
bucket_of(struct send *s, uint64_t id)
{
	return &s->messages.buckets[id % MESSAGE_BUCKETS];
}

struct message *
message_find(struct send *s, uint64_t id)
{
	struct message *m = *bucket_of(s, id);

	while (m != NULL && m->id != id)
		m = m->next;
	return m;
}

static struct message *
message_alloc(struct send *s)
{
	struct message *m = s->messages.spare;

	if (m != NULL) {
		s->messages.spare = m->next;
		s->messages.spare_count--;
		return m;
	}
	while ((m = calloc(1, sizeof(*m))) == NULL)
		send_sleep_nomem(s);
	return m;
}

struct message *
message_add(struct send *s, uint64_t id)
{
	struct message **bucket = bucket_of(s, id);
	struct message *m = message_alloc(s);

	m->id = id;
	m->text.max = INFO_BYTES_MAX;
	m->notes.max = m->marks.max = NOTES_MAX;
	for (int c = 0; c < CHANNEL_COUNT; c++)
		m->tracks[c].fd = -1;
	m->next = *bucket;
	*bucket = m;
	s->messages.count++;
	return m;
}

static void
keep_small(struct buf *b)
{
	if (b->cap > KEPT_BYTES)
		buf_free(b);
	buf_reset(b);
}

static void
message_free(struct send *s, struct message *m)
{
	struct buf text, notes, marks;

	keep_small(&m->text);
	keep_small(&m->notes);
	keep_small(&m->marks);
	if (s->messages.spare_count >= MESSAGE_SPARES) {
		buf_free(&m->text);
		buf_free(&m->notes);
		buf_free(&m->marks);
		free(m);
		return;
	}
	text = m->text;
	notes = m->notes;
	marks = m->marks;
	*m = (struct message){ .text = text,
		.notes = notes,
		.marks = marks,
		.next = s->messages.spare };
	s->messages.spare = m;
	s->messages.spare_count++;
}

void
message_drop(struct send *s, struct message *m)
{
	struct message **at = bucket_of(s, m->id);

	for (int c = 0; c < CHANNEL_COUNT; c++)
		pass_close(s, m, (enum channel)c);
	message_leave_s4(s, m);
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	s->messages.count--;
	message_free(s, m);
}

void
message_enter_s4(struct send *s, struct message *m)
{
	struct message_table *t = &s->messages;

	m->fresh = true;
	m->older = t->newest;
	m->newer = NULL;
	if (t->newest != NULL)
		t->newest->newer = m;
	else
		t->oldest = m;
	t->newest = m;
}

void
message_leave_s4(struct send *s, struct message *m)
{
	struct message_table *t = &s->messages;

	if (!m->fresh)
		return;
	m->fresh = false;
	if (m->older != NULL)
		m->older->newer = m->newer;
	else
		t->oldest = m->newer;
	if (m->newer != NULL)
		m->newer->older = m->older;
	else
		t->newest = m->older;
	m->older = m->newer = NULL;
}

/*
 * info is exactly F<sender>\0; tools rely on its first record alone.  0;
 * QE_ABSENT; QE_DENIED (held: the sticky bit is set); QE_SYS; QE_TEMP.
 */
static int
read_info(struct message *m, const char *path)
{
	struct strv rest, sender;
	struct stat st;
	char letter;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0)
		return errno == ENOENT ? QE_ABSENT : QE_SYS;
	r = fstat(fd, &st) < 0 ? QE_SYS : file_read_fd(fd, &m->text);
	io_close(&fd);
	if (r != 0)
		return QE_TEMP;
	if ((st.st_mode & S_ISVTX) != 0)
		return QE_DENIED;
	rest = buf_view(&m->text);
	if (record_next(&rest, &letter, &sender) != 0 || letter != 'F')
		return QE_TEMP;
	m->birth = st.st_mtime;
	m->sender_len = sender.len;
	buf_consume(&m->text, 1);
	return 0;
}

/* By the mark that qmail-hold(8) puts on the message itself. */
static bool
is_held(const struct send *s, const struct message *m)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;

	message_path(s, m, QUEUE_MESS, path);
	return lstat(path, &st) == 0 && (st.st_mode & S_ISVTX) != 0;
}

struct message *
message_open(struct send *s, uint64_t id, int *wait)
{
	char path[QUEUE_PATH_MAX];
	struct message *m = message_find(s, id);
	int r;

	*wait = 0;
	if (m != NULL)
		return m;
	m = message_add(s, id);
	message_path(s, m, QUEUE_INFO, path);
	r = read_info(m, path);
	if (r == 0 && is_held(s, m))
		r = QE_DENIED;
	if (r == 0) {
		m->has_records = true;
		for (int c = 0; c < CHANNEL_COUNT; c++)
			m->tracks[c].has_file = true;
		return m;
	}
	message_drop(s, m);
	if (r == QE_ABSENT) {
		slog_warn_file(&s->log, "unable to open", path, "");
	} else if (r == QE_DENIED) {
		*wait = HELD_INTERVAL;
	} else {
		slog_warn_file(&s->log,
		    r == QE_SYS ? "trouble opening" : "trouble reading", path,
		    "; will try again later");
		*wait = RETRY_OWN_FAILURE;
	}
	return NULL;
}

struct strv
message_sender(const struct message *m)
{
	return strv_head(buf_view(&m->text), m->sender_len);
}

struct strv
message_recipient(const struct message *m, unsigned i)
{
	return strv_from(
	    m->text.data + m->recipients[i].at, m->recipients[i].len);
}

void
message_path(const struct send *s, const struct message *m,
    enum queue_area area, char path[QUEUE_PATH_MAX])
{
	queue_path(&s->layout, area, m->id, path);
}
