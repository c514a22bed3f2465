/*
 * Delivery to an mbox in the mboxrd form: appended under an flock, lines that
 * match ^>*From quoted, closed by an empty line, flushed, cut back on error.
 */
#include "mail/mbox.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LOCK_SECONDS = 30,
	LOCK_PAUSE_MS = 100,
	COPY_BYTES = 64 * 1024,
	FROM_LENGTH = 5
};

static const char from_word[FROM_LENGTH + 1] = "From ";

struct mbox {
	int fd;
	bool created;
	struct stat st; /* as it was when the lock was taken */
};

/*
 * Where the quoter is in its line.  Up to FROM_LENGTH - 1 bytes that may
 * become "From " are held back; they need not be stored to be known.
 */
struct quoter {
	bool at_start;  /* nothing in this line yet but '>' */
	size_t matched; /* bytes of from_word held back */
	bool line_open; /* the last line has no LF yet */
};

static int
open_file(const char *path, bool *created)
{
	/* O_NONBLOCK: a FIFO without a reader must not hang us. */
	int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, flags);

	*created = false;
	if (fd >= 0 || errno != ENOENT)
		return fd;
	/* Without O_EXCL: the name may be a link to where the file shall be. */
	fd = open(path, flags | O_CREAT, 0600);
	*created = fd >= 0;
	return fd;
}

/* 0, QE_TIMEOUT or QE_SYS. */
static int
lock_file(int fd, int64_t deadline_ms)
{
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return QE_SYS;
		if (clock_mono_ms() >= deadline_ms)
			return QE_TIMEOUT;
		clock_sleep_ms(LOCK_PAUSE_MS);
	}
	return 0;
}

/* False if the path was given to another file while we waited. */
static bool
is_still_named(const char *path, const struct stat *ours)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == ours->st_dev &&
	       st.st_ino == ours->st_ino;
}

static enum mbox_result
open_locked(const char *path, struct mbox *m)
{
	int64_t deadline = clock_deadline(LOCK_SECONDS);

	for (;;) {
		int r;

		m->fd = open_file(path, &m->created);
		if (m->fd < 0)
			return MBOX_OPEN;
		r = lock_file(m->fd, deadline);
		if (r == QE_TIMEOUT)
			return MBOX_LOCK;
		if (r != 0 || fstat(m->fd, &m->st) < 0)
			return MBOX_WRITE;
		if (is_still_named(path, &m->st))
			return MBOX_OK;
		io_close(&m->fd);
		if (clock_mono_ms() >= deadline)
			return MBOX_LOCK;
	}
}

/*
 * A crash may have left a torn message at the end.  Its line is ended, or our
 * From_ line would disappear in it.
 */
static void
mend_tail(const char *path, const struct stat *st, struct sink *out)
{
	char last = '\n';
	int fd;

	if (!S_ISREG(st->st_mode) || st->st_size == 0)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	if (pread(fd, &last, 1, st->st_size - 1) == 1 && last != '\n')
		sink_put_str(out, "\n\n");
	io_close(&fd);
}

/* Gives out what was held back, quoted if it is the whole word. */
static void
release(struct quoter *q, struct sink *out)
{
	if (q->matched == FROM_LENGTH)
		sink_put(out, ">", 1);
	sink_put(out, from_word, q->matched);
	q->matched = 0;
	q->at_start = false;
}

/* Takes bytes while the line may still need a '>'; returns how many. */
static size_t
quote_start(struct quoter *q, struct strv bytes, struct sink *out)
{
	char c = bytes.ptr[0];

	q->line_open = true;
	if (q->matched == 0 && c == '>') {
		/* One '>' more, wherever in their run, is the same. */
		sink_put(out, &c, 1);
		return 1;
	}
	if (c == from_word[q->matched]) {
		if (++q->matched == FROM_LENGTH)
			release(q, out);
		return 1;
	}
	release(q, out);
	return 0;
}

static void
quote(struct quoter *q, struct strv bytes, struct sink *out)
{
	while (bytes.len > 0) {
		size_t end;

		if (q->at_start) {
			bytes = strv_skip(bytes, quote_start(q, bytes, out));
			continue;
		}
		end = strv_find(bytes, '\n');
		q->at_start = end != STRV_NPOS;
		q->line_open = end == STRV_NPOS;
		end = end == STRV_NPOS ? bytes.len : end + 1;
		sink_put(out, bytes.ptr, end);
		bytes = strv_skip(bytes, end);
	}
}

static enum mbox_result
write_trouble(void)
{
	return errno == EDQUOT || errno == EFBIG ? MBOX_QUOTA : MBOX_WRITE;
}

enum mbox_result
mbox_copy(struct strv prefix, int message_fd, struct sink *out)
{
	struct quoter q = { .at_start = true };
	char block[COPY_BYTES];
	off_t offset = 0;

	sink_put_view(out, prefix);
	for (;;) {
		ssize_t got = pread(message_fd, block, sizeof(block), offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return MBOX_READ;
		if (got == 0)
			break;
		offset += got;
		quote(&q, strv_from(block, (size_t)got), out);
		if (out->err != 0)
			break;
	}
	if (q.matched > 0)
		release(&q, out);
	if (q.line_open)
		sink_put(out, "\n", 1);
	sink_put(out, "\n", 1);
	if (out->err == 0)
		return MBOX_OK;
	errno = out->errnum;
	return write_trouble();
}

/* Flushes the directory that the new file is in, wherever links lead. */
static enum mbox_result
sync_parent(const char *path)
{
	char *real = realpath(path, NULL);
	char *slash = real == NULL ? NULL : strrchr(real, '/');
	int r = QE_SYS;

	if (slash != NULL) {
		slash[slash == real] = '\0';
		r = io_sync_dir(real);
	}
	free(real);
	return r == 0 ? MBOX_OK : MBOX_WRITE;
}

static enum mbox_result
append(const char *path, struct mbox *m, struct strv prefix, int message_fd)
{
	char block[COPY_BYTES];
	struct sink out;
	enum mbox_result r;

	sink_init(&out, m->fd, block, sizeof(block));
	mend_tail(path, &m->st, &out);
	r = mbox_copy(prefix, message_fd, &out);
	if (r == MBOX_OK && sink_flush(&out) != 0)
		r = write_trouble();
	if (r != MBOX_OK)
		return r;
	/* Devices such as /dev/null have nothing to flush. */
	if (io_sync(m->fd) != 0 && (S_ISREG(m->st.st_mode) || errno != EINVAL))
		return write_trouble();
	return m->created ? sync_parent(path) : MBOX_OK;
}

enum mbox_result
mbox_deliver(const char *path, struct strv prefix, int message_fd)
{
	struct mbox m = { .fd = -1 };
	enum mbox_result r = open_locked(path, &m);

	if (r == MBOX_OK) {
		r = append(path, &m, prefix, message_fd);
		if (r != MBOX_OK && S_ISREG(m.st.st_mode)) {
			int saved = errno;

			if (ftruncate(m.fd, m.st.st_size) < 0)
				errno = saved;
			errno = saved;
		}
	}
	io_close(&m.fd);
	return r;
}
