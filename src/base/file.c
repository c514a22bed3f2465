/* Whole small files into buffers. */
#include "base/file.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FILE_CHUNK = 4096,
	FILE_CHUNK_MIN = 128,
	FILE_CHUNK_MAX = 1 << 20,
	SIZE_UNKNOWN = -1
};

/*
 * chunk: bytes to make room for at first.  A read that brought less than it
 * might have, and made up the size of the file, has met its end.
 */
static int
read_whole(int fd, size_t chunk, off_t size, struct buf *out)
{
	size_t max = out->max == 0 ? BUF_MAX_DEFAULT : out->max;
	size_t before = out->len;

	for (;;) {
		char spill;
		size_t room = max - out->len;
		size_t ask = room < chunk ? room : chunk;
		char *to = room == 0 ? &spill : buf_reserve(out, ask);
		ssize_t got;

		if (to == NULL)
			return out->err;
		got = io_read(fd, to, room == 0 ? 1 : ask);
		if (got < 0)
			return QE_SYS;
		if (got == 0)
			return 0;
		if (room == 0)
			return QE_LIMIT;
		out->len += (size_t)got;
		if ((size_t)got < ask && size == (off_t)(out->len - before))
			return 0;
		/* What is there already, but for the NUL of buf_cstr. */
		chunk = out->cap - out->len - 1;
		if (chunk == 0)
			chunk = out->cap > FILE_CHUNK ? out->cap : FILE_CHUNK;
	}
}

int
file_read_fd(int fd, struct buf *out)
{
	return read_whole(fd, FILE_CHUNK, SIZE_UNKNOWN, out);
}

/*
 * Files of one line are many: a page for each would be too much.  One byte more
 * than the size, to see the end.
 */
static size_t
first_chunk(off_t size)
{
	if (size < FILE_CHUNK_MIN)
		return FILE_CHUNK_MIN;
	return size < FILE_CHUNK_MAX ? (size_t)size + 1 : FILE_CHUNK_MAX;
}

int
file_read_at(int dirfd, const char *path, struct buf *out)
{
	struct stat st;
	int r;
	/* O_NONBLOCK: a FIFO in the place of a file must not hang us. */
	int fd =
	    openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return errno == ENOENT ? QE_ABSENT : QE_SYS;
	if (fstat(fd, &st) < 0) {
		r = QE_SYS;
	} else if (!S_ISREG(st.st_mode)) {
		errno = EISDIR;
		r = QE_SYS;
	} else {
		r = read_whole(fd, first_chunk(st.st_size), st.st_size, out);
	}
	io_close(&fd);
	return r;
}

int
file_read(const char *path, struct buf *out)
{
	return file_read_at(AT_FDCWD, path, out);
}

/* Not every libc has a name for this call. */
int
file_rename_new_at(int from_dir, const char *from, int to_dir, const char *to)
{
	return syscall(SYS_renameat2, from_dir, from, to_dir, to,
		   RENAME_NOREPLACE) == 0
		   ? 0
		   : QE_SYS;
}
