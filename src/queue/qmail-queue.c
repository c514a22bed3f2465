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
	COPY_BUFFER = 65536,  /* what a pipe holds */
	LINE_MAX_BYTES = 256, /* of our Received line, or of the origin */
	PID_NAMES_MAX = 9,
	ATOMIC_WRITE = 4096 /* an envelope of one page is never torn */
};

/* One message on its way in; the has_ flags say what must go if it fails. */
struct arrival {
	struct queue_layout layout;
	uid_t uid;
	pid_t pid;
	int64_t now;
	uint64_t id;
	int mess_fd, intd_fd;
	bool has_pid, has_mess, has_intd, has_todo;
	char pid_path[QUEUE_PATH_MAX], mess[QUEUE_PATH_MAX];
	char intd[QUEUE_PATH_MAX], todo[QUEUE_PATH_MAX];
	struct envelope_stream envelope;
	struct bigbrother watch;
	size_t envelope_bytes;
	size_t used; /* of buffer */
	char buffer[COPY_BUFFER];
};

static enum queue_exit
enter(struct arrival *a)
{
	struct buf line = BUF_LIMIT(LINE_MAX_BYTES);

	a->uid = getuid();
	a->pid = getpid();
	a->now = clock_wall();
	a->mess_fd = a->intd_fd = -1;
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
	memcpy(a->buffer, line.data, line.len);
	a->used = line.len;
	buf_free(&line);
	if (chdir("queue") < 0 || queue_layout_read(&a->layout) != 0)
		return QQ_CHDIR_QUEUE;
	return QQ_OK;
}

static enum queue_exit
pid_create(struct arrival *a)
{
	struct stat st;

	for (int n = 1; n <= PID_NAMES_MAX && a->mess_fd < 0; n++) {
		snprintf(a->pid_path, sizeof(a->pid_path), "pid/%jd.%jd.%d",
		    (intmax_t)a->pid, (intmax_t)a->now, n);
		a->mess_fd = open(
		    a->pid_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (a->mess_fd < 0 && errno != EEXIST)
			return QQ_PID;
	}
	if (a->mess_fd < 0)
		return QQ_PID;
	a->has_pid = true;
	if (fstat(a->mess_fd, &st) < 0)
		return QQ_PID;
	a->id = st.st_ino;
	queue_path(&a->layout, QUEUE_MESS, a->id, a->mess);
	queue_path(&a->layout, QUEUE_INTD, a->id, a->intd);
	queue_path(&a->layout, QUEUE_TODO, a->id, a->todo);
	return QQ_OK;
}

/* The file gets the name that is its inode number. */
static enum queue_exit
mess_name(struct arrival *a)
{
	if (renameat2(AT_FDCWD, a->pid_path, AT_FDCWD, a->mess,
		RENAME_NOREPLACE) == 0) {
		a->has_pid = false;
		a->has_mess = true;
		return QQ_OK;
	}
	/* Some file systems know no such rename. */
	if ((errno != EINVAL && errno != ENOSYS) ||
	    link(a->pid_path, a->mess) < 0)
		return QQ_MESS;
	a->has_mess = true;
	if (unlink(a->pid_path) < 0)
		return QQ_MESS;
	a->has_pid = false;
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
		if (io_write_all(a->mess_fd, a->buffer, a->used) != 0)
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
envelope_begin(struct arrival *a)
{
	struct buf origin = BUF_LIMIT(LINE_MAX_BYTES);

	envelope_add_origin(&origin, a->uid, (uint64_t)a->pid);
	if (origin.err != 0)
		return QQ_NOMEM;
	memcpy(a->buffer, origin.data, origin.len);
	a->used = origin.len;
	buf_free(&origin);
	return envelope_read(a);
}

/* The id is ours, so a file that has it already is left from a crash. */
static enum queue_exit
intd_create(struct arrival *a)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;

	a->intd_fd = open(a->intd, flags, 0644);
	if (a->intd_fd < 0 && errno == EEXIST && unlink(a->intd) == 0)
		a->intd_fd = open(a->intd, flags, 0644);
	if (a->intd_fd < 0)
		return QQ_INTD;
	a->has_intd = true;
	return QQ_OK;
}

/* Recipients of our own making, behind those of the caller. */
static enum queue_exit
envelope_add_observers(struct arrival *a)
{
	struct buf more = BUF_INIT;
	enum queue_exit code = QQ_OK;

	bigbrother_add(&a->watch, &more);
	if (more.err != 0)
		code = QQ_NOMEM;
	else if (io_write_all(a->intd_fd, more.data, more.len) != 0)
		code = QQ_WRITE;
	a->envelope_bytes += more.len;
	buf_free(&more);
	return code;
}

static enum queue_exit
envelope_copy(struct arrival *a)
{
	enum queue_exit code = QQ_OK;
	bool complete;

	do {
		complete = a->envelope.complete;
		if (io_write_all(a->intd_fd, a->buffer, a->used) != 0)
			return QQ_WRITE;
		a->envelope_bytes += a->used;
		a->used = 0;
		if (!complete)
			code = envelope_read(a);
	} while (!complete && code == QQ_OK);
	if (code == QQ_OK)
		code = envelope_add_observers(a);
	return code;
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
	enum queue_exit code = pid_create(a);

	if (code == QQ_OK)
		code = mess_name(a);
	if (code == QQ_OK)
		code = message_copy(a);
	if (code == QQ_OK)
		code = envelope_begin(a);
	if (code != QQ_OK)
		return code;
	guard_hold_term();
	if (io_sync(a->mess_fd) != 0)
		return QQ_WRITE;
	code = intd_create(a);
	if (code == QQ_OK)
		code = envelope_copy(a);
	if (code != QQ_OK)
		return code;
	/* In todo/ an envelope must be whole, or empty after a crash. */
	if (a->envelope_bytes > ATOMIC_WRITE && io_sync(a->intd_fd) != 0)
		return QQ_WRITE;
	if (guard_is_unwanted())
		return QQ_TIMEOUT;
	if (link(a->intd, a->todo) < 0)
		return QQ_TODO;
	a->has_todo = true;
	if (io_sync(a->intd_fd) != 0)
		return QQ_TODO;
	/* Nobody was told of it, so mostly it can still be taken back. */
	if (guard_is_unwanted())
		return QQ_TIMEOUT;
	trigger_pull(a->id);
	return QQ_OK;
}

/*
 * The other way round, so that every step leaves one of the known states.
 *
 * What has been in todo/ a search may have found, and qmail-send may deliver
 * it.  Its records go by the number, so the file that the number comes from
 * stays: or the next message had it, and its mail could go to the recipients
 * of this one, which a caller can bring about.  qmail-send removes the file,
 * as a message that it has delivered or as a leftover.
 */
static void
undo(const struct arrival *a)
{
	if (a->has_todo)
		unlink(a->todo);
	if (a->has_intd)
		unlink(a->intd);
	if (a->has_mess && !a->has_todo)
		unlink(a->mess);
	if (a->has_pid)
		unlink(a->pid_path);
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
	if (code != QQ_OK)
		undo(&arrival);
	return (int)code;
}
