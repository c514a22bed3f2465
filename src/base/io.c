/*
 * Descriptors: reading, writing, waiting.  The only file that retries EINTR
 * and the only one that knows how a deadline becomes a poll(2) time-out.
 */
#include "base/io.h"
#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

ssize_t
io_read(int fd, void *data, size_t n)
{
	ssize_t got;

	do
		got = read(fd, data, n);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Not every libc has a name for this call. */
int
io_close_from(unsigned first)
{
	return syscall(SYS_close_range, first, UINT_MAX, 0) == 0 ? 0 : QE_SYS;
}

int
io_cloexec_from(unsigned first)
{
	return syscall(SYS_close_range, first, UINT_MAX, CLOSE_RANGE_CLOEXEC) ==
		       0
		   ? 0
		   : QE_SYS;
}

static int
io_write_some(
    int fd, const char *data, size_t n, int64_t deadline_ms, size_t *written)
{
	ssize_t did;
	int r;

	do
		did = write(fd, data, n);
	while (did < 0 && errno == EINTR);
	*written = did < 0 ? 0 : (size_t)did;
	if (did >= 0)
		return 0;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return QE_SYS;
	r = io_wait(fd, POLLOUT, deadline_ms);
	return r;
}

static int
io_write_until(int fd, const char *data, size_t n, int64_t deadline_ms)
{
	while (n > 0) {
		size_t did;
		int r = io_write_some(fd, data, n, deadline_ms, &did);

		if (r != 0)
			return r;
		data += did;
		n -= did;
	}
	return 0;
}

void
io_limit_writes(int fd, int64_t seconds)
{
	struct timeval limit = { .tv_sec = (time_t)seconds };
	struct stat st;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		(void)io_set_nonblocking(fd, true);
}

int
io_write_all(int fd, const void *data, size_t n)
{
	return io_write_until(fd, data, n, IO_FOREVER);
}

void
io_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd); /* the descriptor is gone even after EINTR */
	*fd = -1;
	errno = saved;
}

int
io_set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return QE_SYS;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? QE_SYS : 0;
}

int
io_pipe(int fds[2])
{
	return pipe2(fds, O_CLOEXEC) < 0 ? QE_SYS : 0;
}

/* Milliseconds to wait for poll(2): -1 without a deadline. */
static int
io_remaining(int64_t deadline_ms)
{
	int64_t left;

	if (deadline_ms == IO_FOREVER)
		return -1;
	left = deadline_ms - clock_mono_ms();
	if (left < 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int
io_wait(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int wait = io_remaining(deadline_ms);
		int n = poll(&p, 1, wait);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return QE_SYS;
		if (n == 0 && io_remaining(deadline_ms) == 0) {
			errno = ETIMEDOUT;
			return QE_TIMEOUT;
		}
	}
}

int
io_sync(int fd)
{
	int r;

	do
		r = fsync(fd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? QE_SYS : 0;
}

int
io_sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return QE_SYS;
	r = io_sync(fd);
	io_close(&fd);
	return r;
}

void
source_init(struct source *s, int fd, char *data, size_t cap)
{
	*s = (struct source){ .fd = fd, .data = data, .cap = cap };
}

/* What waits in a pipe, as a copy: the pipe keeps it. */
static ssize_t
pipe_peek(int fd, char *data, size_t n)
{
	int copy[2];
	ssize_t seen;

	if (io_pipe(copy) != 0)
		return -1;
	seen = tee(fd, copy[1], n, SPLICE_F_NONBLOCK);
	if (seen > 0)
		seen = io_read(copy[0], data, (size_t)seen);
	io_close(&copy[0]);
	io_close(&copy[1]);
	return seen;
}

/* Up to the first LF; where nobody can look ahead, byte by byte. */
static ssize_t
read_by_line(int fd, char *data, size_t n)
{
	ssize_t seen = recv(fd, data, n, MSG_PEEK | MSG_DONTWAIT);
	const char *end;

	if (seen < 0 && errno == ENOTSOCK) {
		seen = pipe_peek(fd, data, n);
		if (seen < 0 && errno != EAGAIN)
			return io_read(fd, data, 1);
	}
	if (seen <= 0)
		return seen;
	end = memchr(data, '\n', (size_t)seen);
	return io_read(
	    fd, data, end == NULL ? (size_t)seen : (size_t)(end - data) + 1);
}

static void
note_use(struct source *s, size_t n)
{
	if (s->used < n)
		s->used = n;
}

int
source_fill(struct source *s, int64_t deadline_ms)
{
	ssize_t got;

	if (s->pos < s->len)
		return 0;
	if (s->eof)
		return QE_EOF;
	s->pos = s->len = 0;
	for (;;) {
		int r = deadline_ms == IO_FOREVER
			    ? 0
			    : io_wait(s->fd, POLLIN, deadline_ms);

		if (r != 0)
			return r;
		got = s->by_line ? read_by_line(s->fd, s->data, s->cap)
				 : io_read(s->fd, s->data, s->cap);
		if (got >= 0)
			break;
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			return QE_SYS;
		/* Non-blocking, or somebody else was faster. */
		r = io_wait(s->fd, POLLIN, deadline_ms);
		if (r != 0)
			return r;
	}
	s->len = (size_t)got;
	/* Looking ahead leaves there what is taken later. */
	note_use(s, s->by_line ? s->cap : s->len);
	s->eof = got == 0;
	return s->eof ? QE_EOF : 0;
}

struct strv
source_peek(const struct source *s)
{
	return strv_from(s->data + s->pos, s->len - s->pos);
}

void
source_take(struct source *s, size_t n)
{
	size_t left = s->len - s->pos;

	s->pos += n < left ? n : left;
}

void
source_discard(struct source *s)
{
	s->pos = s->len = 0;
}

size_t
source_replace(struct source *s, struct strv bytes)
{
	size_t n = bytes.len < s->cap ? bytes.len : s->cap;

	if (n > 0)
		memcpy(s->data, bytes.ptr, n);
	s->pos = 0;
	s->len = n;
	note_use(s, n);
	return n;
}

/* It lies before pos, and behind len if what came later was shorter. */
void
source_wipe(struct source *s)
{
	explicit_bzero(s->data, s->pos);
	if (s->used > s->len)
		explicit_bzero(s->data + s->len, s->used - s->len);
}

void
sink_init(struct sink *s, int fd, char *data, size_t cap)
{
	*s = (struct sink){ .fd = fd, .data = data, .cap = cap };
}

static int
sink_write(struct sink *s, const char *data, size_t n)
{
	int64_t now = clock_mono_ms();
	int64_t deadline =
	    s->timeout_ms == 0 ? IO_FOREVER : now + s->timeout_ms;

	if (s->end_ms != 0 && s->end_ms < deadline)
		deadline = s->end_ms;
	/* A reader that never lets us wait would not meet the end. */
	errno = ETIMEDOUT;
	s->err = s->end_ms != 0 && now >= s->end_ms
		     ? QE_TIMEOUT
		     : io_write_until(s->fd, data, n, deadline);
	if (s->err != 0)
		s->errnum = errno;
	return s->err;
}

int
sink_flush(struct sink *s)
{
	size_t n = s->len;

	if (s->err != 0) {
		errno = s->errnum;
		return s->err;
	}
	s->len = 0;
	return n == 0 ? 0 : sink_write(s, s->data, n);
}

int
sink_put(struct sink *s, const char *data, size_t n)
{
	if (n > s->cap - s->len && sink_flush(s) != 0)
		return s->err;
	if (s->err != 0)
		return s->err;
	if (n > s->cap)
		return sink_write(s, data, n);
	if (n > 0)
		memcpy(s->data + s->len, data, n);
	s->len += n;
	return 0;
}

int
sink_put_str(struct sink *s, const char *text)
{
	return sink_put(s, text, strlen(text));
}

int
sink_put_view(struct sink *s, struct strv v)
{
	return sink_put(s, v.ptr, v.len);
}
