/*
 * Messages in the queue and their marks: the sticky bit holds one, on mess or
 * info (qmail-todo and qmail-send look before an attempt) and on a list
 * (qmail-send looks between its recipients).
 *
 * Nothing is ever removed here: numbers of messages are numbers of inodes,
 * and one that qmail-send still knows must not come to life again.
 */
#include "admin/queued.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "spool/trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const enum queue_area lists[] = { QUEUE_LOCAL, QUEUE_REMOTE };

enum { LISTS = sizeof(lists) / sizeof(*lists), SENDER_MAX = 65536 };

void
queued_init(struct queued *q)
{
	*q = (struct queued){ .sender = BUF_LIMIT(SENDER_MAX),
		.recipients = BUF_LIMIT(QUEUED_LIST_MAX),
		.text = BUF_LIMIT(QUEUED_LIST_MAX) };
}

void
queued_free(struct queued *q)
{
	buf_free(&q->sender);
	buf_free(&q->recipients);
	buf_free(&q->text);
}

static int
missing_or_sys(void)
{
	return errno == ENOENT ? QE_ABSENT : QE_SYS;
}

static int
read_area(
    const struct queue_layout *layout, enum queue_area area, struct queued *q)
{
	char path[QUEUE_PATH_MAX];

	queue_path(layout, area, q->id, path);
	buf_reset(&q->text);
	return file_read(path, &q->text);
}

static void
add_recipients(struct queued *q)
{
	struct strv rest = buf_view(&q->text), text;
	char letter;

	while (record_next(&rest, &letter, &text) == 0) {
		if (letter == 'F') {
			buf_reset(&q->sender);
			buf_add_view(&q->sender, text);
		}
		if (letter != 'T')
			continue;
		buf_add_view(&q->recipients, text);
		buf_add_char(&q->recipients, '\0');
		q->recipient_count++;
	}
}

static int
read_lists(const struct queue_layout *layout, struct queued *q)
{
	int r = read_area(layout, QUEUE_INFO, q);

	if (r != 0)
		return r;
	add_recipients(q);
	for (int i = 0; i < LISTS; i++) {
		r = read_area(layout, lists[i], q);
		if (r != 0 && r != QE_ABSENT)
			return r;
		if (r == 0)
			add_recipients(q);
	}
	return q->recipients.err;
}

int
queued_read(const struct queue_layout *layout, uint64_t id, struct queued *q)
{
	char path[QUEUE_PATH_MAX];
	struct stat mess, info;
	int r;

	q->id = id;
	q->recipient_count = 0;
	buf_reset(&q->sender);
	buf_reset(&q->recipients);
	queue_path(layout, QUEUE_MESS, id, path);
	if (lstat(path, &mess) < 0)
		return missing_or_sys();
	q->size = (uint64_t)mess.st_size;
	q->birth = mess.st_mtime;
	q->state = QUEUED_NEW;
	queue_path(layout, QUEUE_INFO, id, path);
	if (lstat(path, &info) == 0) {
		q->birth = info.st_mtime;
		q->state = ((info.st_mode | mess.st_mode) & S_ISVTX) != 0
			       ? QUEUED_HELD
			       : QUEUED_WAITS;
		return read_lists(layout, q);
	}
	if (errno != ENOENT)
		return QE_SYS;
	r = read_area(layout, QUEUE_TODO, q);
	if (r == 0)
		add_recipients(q);
	return r == 0 ? q->recipients.err : r;
}

int
queued_read_text(const struct queue_layout *layout, struct queued *q)
{
	char path[QUEUE_PATH_MAX];
	char *to;
	ssize_t got = 0;
	int fd;

	queue_path(layout, QUEUE_MESS, q->id, path);
	buf_reset(&q->text);
	to = buf_reserve(&q->text, QUEUED_TEXT_MAX);
	if (to == NULL)
		return QE_NOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return missing_or_sys();
	got = io_read(fd, to, QUEUED_TEXT_MAX);
	io_close(&fd);
	if (got < 0)
		return QE_SYS;
	q->text.len = (size_t)got;
	return 0;
}

/* Sets and clears bits of a file's mode; a file that is not there is fine. */
static int
change_mode(const struct queue_layout *layout, enum queue_area area,
    uint64_t id, mode_t set, mode_t clear)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;
	mode_t mode;
	int fd, r = 0;

	queue_path(layout, area, id, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return missing_or_sys();
	if (fstat(fd, &st) < 0) {
		r = QE_SYS;
	} else {
		mode = ((st.st_mode & 07777) & ~clear) | set;
		if (mode != (st.st_mode & 07777) && fchmod(fd, mode) < 0)
			r = QE_SYS;
	}
	io_close(&fd);
	return r;
}

static int
change_all(
    const struct queue_layout *layout, uint64_t id, mode_t set, mode_t clear)
{
	int r = change_mode(layout, QUEUE_MESS, id, set, clear);

	for (int i = 0; i < LISTS && r == 0; i++) {
		r = change_mode(layout, lists[i], id, set, clear);
		r = r == QE_ABSENT ? 0 : r;
	}
	return r;
}

int
queued_hold(const struct queue_layout *layout, struct queued *q)
{
	int r = change_all(layout, q->id, S_ISVTX, 0);

	if (r == 0)
		r = change_mode(layout, QUEUE_INFO, q->id, S_ISVTX, 0);
	return r == QE_ABSENT && q->state == QUEUED_NEW ? 0 : r;
}

/* The setgid bit asks qmail-todo to pass on that it is due now. */
int
queued_release(const struct queue_layout *layout, struct queued *q)
{
	int r = change_all(layout, q->id, 0, S_ISVTX);

	if (r == 0)
		r = change_mode(layout, QUEUE_INFO, q->id, S_ISGID, S_ISVTX);
	if (r == 0)
		trigger_pull(q->id);
	return r == QE_ABSENT && q->state == QUEUED_NEW ? 0 : r;
}

/* Every T of a list becomes D. */
static int
mark_all(
    const struct queue_layout *layout, enum queue_area area, struct queued *q)
{
	char path[QUEUE_PATH_MAX];
	struct strv rest, text;
	char letter;
	int fd, r = read_area(layout, area, q);

	if (r != 0)
		return r == QE_ABSENT ? 0 : r;
	queue_path(layout, area, q->id, path);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : QE_SYS;
	for (rest = buf_view(&q->text);;) {
		off_t at = (off_t)(q->text.len - rest.len);

		if (record_next(&rest, &letter, &text) != 0)
			break;
		if (letter == 'T' && pwrite(fd, "D", 1, at) != 1)
			r = QE_SYS;
	}
	io_close(&fd);
	return r;
}

int
queued_delete(const struct queue_layout *layout, struct queued *q)
{
	char path[QUEUE_PATH_MAX];
	int r = queued_hold(layout, q);

	for (int i = 0; i < LISTS && r == 0; i++)
		r = mark_all(layout, lists[i], q);
	if (r != 0)
		return r;
	queue_path(layout, QUEUE_BOUNCE, q->id, path);
	if (unlink(path) < 0 && errno != ENOENT)
		return QE_SYS;
	/* Lists stay held: qmail-send may still have old pieces of them. */
	r = change_mode(layout, QUEUE_MESS, q->id, 0, S_ISVTX);
	if (r == 0)
		r = change_mode(layout, QUEUE_INFO, q->id, S_ISGID, S_ISVTX);
	if (r == 0)
		trigger_pull(q->id);
	return r;
}
