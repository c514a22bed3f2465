/*
 * Reading and writing descriptors: EINTR is retried here and nowhere else.
 *
 * Deadlines are absolute, in milliseconds of clock_mono_ms(); IO_FOREVER
 * waits without one.  A deadline holds for a whole line or block, however
 * slowly its bytes trickle in.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "base/strv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define IO_FOREVER INT64_MAX

/* read(2), EINTR retried: bytes, 0 at the end, -1 with errno. */
ssize_t io_read(int fd, void *data, size_t n);
/* Writes everything or fails: 0 or QE_SYS.  EAGAIN is waited for. */
int io_write_all(int fd, const void *data, size_t n);
/* Closes *fd if it is not negative and sets it to -1; errno is kept. */
void io_close(int *fd);
int io_set_nonblocking(int fd, bool on);
/*
 * A peer that reads nothing must not hold us in a write: a socket gets a time
 * limit of its own; on a pipe the writer is told not to wait.
 */
void io_limit_writes(int fd, int64_t seconds);
/* Both ends close-on-exec.  0 or QE_SYS. */
int io_pipe(int fds[2]);
/* Closes first and all descriptors above it; 0 or QE_SYS. */
int io_close_from(unsigned first);
/* Marks them close-on-exec instead. */
int io_cloexec_from(unsigned first);
/* Waits for POLLIN/POLLOUT: 0, QE_TIMEOUT or QE_SYS. */
int io_wait(int fd, short events, int64_t deadline_ms);
/* fsync(2), EINTR retried.  0 or QE_SYS. */
int io_sync(int fd);
/* Opens, fsyncs and closes a directory.  0 or QE_SYS. */
int io_sync_dir(const char *path);

/* Buffered reading.  The caller owns the storage; the descriptor is lent. */
struct source {
	int fd;
	char *data;
	size_t cap, pos, len;
	size_t used; /* how much of data has ever held anything */
	bool eof;
	/* Never takes a byte behind an LF off the descriptor: what follows
	 * belongs to another program.  Dear on what is neither a socket nor
	 * a pipe. */
	bool by_line;
};

void source_init(struct source *s, int fd, char *data, size_t cap);
/*
 * Makes at least one unread byte available: 0, QE_EOF, QE_TIMEOUT, QE_SYS.
 * Reads only when the buffer is empty.
 */
int source_fill(struct source *s, int64_t deadline_ms);
/* What is buffered and not yet taken; source_take() consumes from it. */
struct strv source_peek(const struct source *s);
void source_take(struct source *s, size_t n);
/* Throws away what is buffered (STARTTLS, fatal replies). */
void source_discard(struct source *s);
/* Wipes all that was taken, and keeps what was not. */
void source_wipe(struct source *s);
/* Puts that in its place, as much as there is room for; how much. */
size_t source_replace(struct source *s, struct strv bytes);

/* Buffered writing.  The first failure is kept in err and repeated. */
struct sink {
	int fd;
	char *data;
	size_t cap, len;
	int64_t timeout_ms; /* for each flush; 0: none */
	int64_t end_ms;     /* of the last flush, however many; 0: none */
	int err;
	int errnum; /* errno of the failure */
};

void sink_init(struct sink *s, int fd, char *data, size_t cap);
int sink_put(struct sink *s, const char *data, size_t n);
int sink_put_str(struct sink *s, const char *text);
int sink_put_view(struct sink *s, struct strv v);
int sink_flush(struct sink *s);

#endif
