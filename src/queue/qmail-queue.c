/*
 * qmail-queue(8): takes one message, on descriptor 0, and its envelope, on 1,
 * into the queue.
 *
 * User: setuid qmailq, started by anybody.  Files: writes pid, mess, intd and
 * todo, reads control/bigbrother, some owners and /etc/passwd.  Never prints,
 * never listens to the environment, starts no program.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "mail/date.h"
#include "queue/bigbrother.h"
#include "queue/caller.h"
#include "queue/guard.h"
#include "queue/item.h"
#include "queue/observer.h"
#include "spool/envelope_stream.h"
#include "spool/queue.h"
#include "spool/trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	COPY_BUFFER = 65536, /* what a pipe holds */
	LINE_MAX_BYTES = 256 /* of our Received line, or of the origin */
};

/* One message on its way in, and the observers' copy if it is watched. */
struct arrival {
	struct queue_layout layout;
	uid_t uid;
	pid_t pid;
	int64_t now;
	struct item own, copy;
	struct envelope_stream envelope;
	struct bigbrother watch;
	size_t used; /* of buffer */
	char buffer[COPY_BUFFER];
};

static enum queue_exit
enter(struct arrival *a)
{
	struct buf line = BUF_IN(a->buffer, LINE_MAX_BYTES);

	a->uid = getuid();
	a->pid = getpid();
	a->now = clock_wall();
	item_init(&a->own, &a->layout);
	item_init(&a->copy, &a->layout);
	if (chdir(program_home()) < 0)
		return QQ_CHDIR_HOME;
	if (bigbrother_load(&a->watch) != 0)
		return QQ_CONFIG;
	buf_add_str(&line, "Received: (qmail ");
	buf_add_u64(&line, (uint64_t)a->pid);
	buf_add_str(&line, " invoked ");
	caller_add(&line, a->uid, geteuid());
	buf_add_str(&line, "); ");
	date_add_822(&line, a->now);
	buf_add_char(&line, '\n');
	if (line.err != 0)
		return QQ_NOMEM;
	a->used = line.len;
	if (chdir("queue") < 0 || queue_layout_read(&a->layout) != 0)
		return QQ_CHDIR_QUEUE;
	return QQ_OK;
}

/* A caller may have made the descriptor non-blocking. */
static ssize_t
read_some(int fd, char *data, size_t n)
{
	ssize_t got;

	while ((got = io_read(fd, data, n)) < 0)
		if (errno != EAGAIN || io_wait(fd, POLLIN, IO_FOREVER) != 0)
			break;
	return got;
}

/* Our line stands in the buffer; a small message leaves with it at once. */
static enum queue_exit
message_copy(struct arrival *a)
{
	ssize_t got;

	do {
		got = read_some(
		    0, a->buffer + a->used, sizeof(a->buffer) - a->used);
		if (got < 0)
			return QQ_READ;
		a->used += (size_t)got;
		if (got > 0 && a->used < sizeof(a->buffer))
			continue;
		if (io_write_all(a->own.mess_fd, a->buffer, a->used) != 0)
			return QQ_WRITE;
		a->used = 0;
	} while (got > 0);
	return QQ_OK;
}

/* Fills the buffer with envelope, until it is complete or there is no room. */
static enum queue_exit
envelope_read(struct arrival *a)
{
	while (!a->envelope.complete && a->used < sizeof(a->buffer)) {
		char *next = a->buffer + a->used;
		ssize_t got = read_some(1, next, sizeof(a->buffer) - a->used);
		size_t used = 0;
		int r;

		if (got <= 0)
			return QQ_READ;
		r = envelope_stream_feed(
		    &a->envelope, strv_from(next, (size_t)got), &used);
		if (r != 0)
			return r == QE_LIMIT ? QQ_ADDRESS_TOO_LONG
					     : QQ_ENVELOPE;
		bigbrother_watch(&a->watch, strv_from(next, used));
		a->used += used;
	}
	return QQ_OK;
}

static enum queue_exit
add_origin(const struct arrival *a, struct buf *origin)
{
	envelope_add_origin(origin, a->uid, (uint64_t)a->pid);
	return origin->err == 0 ? QQ_OK : QQ_NOMEM;
}

static enum queue_exit
envelope_begin(struct arrival *a)
{
	struct buf origin = BUF_IN(a->buffer, LINE_MAX_BYTES);

	if (add_origin(a, &origin) != QQ_OK)
		return QQ_NOMEM;
	a->used = origin.len;
	return envelope_read(a);
}

static enum queue_exit
envelope_copy(struct arrival *a)
{
	enum queue_exit code;
	bool complete;

	do {
		complete = a->envelope.complete;
		code = item_add_envelope(&a->own, a->buffer, a->used);
		a->used = 0;
		if (code == QQ_OK && !complete)
			code = envelope_read(a);
	} while (!complete && code == QQ_OK);
	return code;
}

/* Only now, with the whole envelope read, it is known who is watched. */
static enum queue_exit
copy_for_observers(struct arrival *a)
{
	struct buf origin = BUF_LIMIT(LINE_MAX_BYTES);
	enum queue_exit code;

	if (!bigbrother_has_seen(&a->watch))
		return QQ_OK;
	code = add_origin(a, &origin);
	if (code == QQ_OK)
		code = observer_prepare(&a->copy, &a->own, &a->watch,
		    buf_view(&origin), a->pid, a->now, a->buffer,
		    sizeof(a->buffer));
	buf_free(&origin);
	return code;
}

/*
 * The copy comes first, by name and by flush: after a crash in between there
 * is a copy of a message that nobody was told of, and whoever sent it sends it
 * again; the other way round it would have passed unseen.
 */
static enum queue_exit
commit(struct arrival *a)
{
	enum queue_exit code = QQ_OK;

	if (a->copy.has_intd)
		code = item_link(&a->copy);
	if (code == QQ_OK)
		code = item_link(&a->own);
	if (code != QQ_OK)
		return code;
	if (a->copy.has_intd && io_sync(a->copy.intd_fd) != 0)
		return QQ_TODO;
	return io_sync(a->own.intd_fd) == 0 ? item_check_mess(&a->own)
					    : QQ_TODO;
}

/*
 * From nothing to a message that survives a power cut.  The name in mess/ is
 * older than the first flush and the one in todo/ older than the last: on
 * ext4, XFS and btrfs fsync of a file also makes the names durable that it
 * has got by then.  So 0 is only said when message, envelope and both names
 * are on the disk, after two flushes.
 *
 * The envelope is read before the first flush, so that a caller who gives up
 * costs none.
 */
static enum queue_exit
take_in(struct arrival *a)
{
	enum queue_exit code = item_create_mess(&a->own, a->pid, a->now);

	if (code == QQ_OK)
		code = message_copy(a);
	if (code == QQ_OK)
		code = envelope_begin(a);
	if (code != QQ_OK)
		return code;
	guard_hold_term();
	if (io_sync(a->own.mess_fd) != 0)
		return QQ_WRITE;
	code = item_create_intd(&a->own);
	if (code == QQ_OK)
		code = envelope_copy(a);
	if (code == QQ_OK)
		code = copy_for_observers(a);
	if (code != QQ_OK)
		return code;
	if (guard_is_unwanted())
		return QQ_TIMEOUT;
	code = commit(a);
	if (code != QQ_OK)
		return code;
	/* Nobody was told of it, so mostly it can still be taken back. */
	if (guard_is_unwanted())
		return QQ_TIMEOUT;
	if (a->copy.has_todo)
		trigger_pull(a->copy.id);
	trigger_pull(a->own.id);
	return QQ_OK;
}

int
main(void)
{
	struct arrival arrival;
	enum queue_exit code = guard_descriptors();

	if (code != QQ_OK)
		return (int)code;
	guard_signals();
	umask(033);
	guard_limits();
	memset(&arrival, 0, offsetof(struct arrival, buffer));
	code = enter(&arrival);
	if (code == QQ_OK)
		code = take_in(&arrival);
	if (code != QQ_OK) {
		item_undo(&arrival.own);
		item_undo(&arrival.copy);
	}
	return (int)code;
}
