/*
 * Constant databases, through tinycdb.
 *
 * The reader uses read(2), never a mapping: a file that is cut short while it
 * is open gives a result code, not a signal.  What the library takes on trust
 * is tested here: that all tables and records lie within the file, and that
 * the file did not change under a look-up.
 */
#include "base/cdb.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/io.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CDB_TABLES = 256,
	CDB_HEADER = CDB_TABLES * 8, /* bytes: position and slots of each */
	CDB_SLOT = 8,
	CDB_LOCK_TRIES = 100
};

struct cdb_reader {
	int fd;
	struct stat st;
	int64_t data_end; /* where the first table begins */
	struct buf value;
};

/*
 * Every table must lie behind the header and within the file, and one of them
 * at its very end: then no cut and no growth goes unnoticed.
 */
static int
check_tables(
    const unsigned char header[CDB_HEADER], int64_t size, int64_t *data_end)
{
	int64_t first = size, last = 0;

	for (size_t i = 0; i < CDB_TABLES; i++) {
		int64_t start = cdb_unpack(header + 8 * i);
		int64_t end =
		    start + CDB_SLOT * (int64_t)cdb_unpack(header + 8 * i + 4);

		if (start == 0 && end == 0)
			continue; /* so some writers mark empty tables */
		if (start < CDB_HEADER || end > size)
			return QE_CORRUPT;
		first = start < first ? start : first;
		last = end > last ? end : last;
	}
	if (last != size)
		return QE_CORRUPT;
	*data_end = first;
	return 0;
}

static int
reader_load(struct cdb_reader *reader)
{
	unsigned char header[CDB_HEADER];
	ssize_t n;

	if (fstat(reader->fd, &reader->st) < 0)
		return QE_SYS;
	if (!S_ISREG(reader->st.st_mode))
		return QE_CORRUPT;
	n = io_read(reader->fd, header, sizeof(header));
	if (n < 0)
		return QE_SYS;
	if (n != (ssize_t)sizeof(header))
		return QE_CORRUPT;
	return check_tables(header, reader->st.st_size, &reader->data_end);
}

int
cdb_reader_open(const char *path, struct cdb_reader **out)
{
	struct cdb_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (reader == NULL)
		return QE_NOMEM;
	reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (reader->fd < 0)
		r = errno == ENOENT ? QE_ABSENT : QE_SYS;
	else
		r = reader_load(reader);
	if (r != 0)
		cdb_reader_free(&reader);
	else
		*out = reader;
	return r;
}

void
cdb_reader_free(struct cdb_reader **reader)
{
	if (*reader == NULL)
		return;
	io_close(&(*reader)->fd);
	buf_free(&(*reader)->value);
	free(*reader);
	*reader = NULL;
}

static bool
same_content(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool
cdb_reader_is_stale(const struct cdb_reader *reader, const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 || !same_content(&st, &reader->st);
}

/* Reads the value that cdb_seek left the descriptor at. */
static int
read_value(struct cdb_reader *reader, cdbi_t len)
{
	off_t at = lseek(reader->fd, 0, SEEK_CUR);
	char *to;

	if (at < 0)
		return QE_SYS;
	if (at < CDB_HEADER || at + (off_t)len > reader->data_end)
		return QE_CORRUPT;
	buf_reset(&reader->value);
	to = buf_reserve(&reader->value, len);
	if (to == NULL)
		return reader->value.err == QE_LIMIT ? QE_CORRUPT : QE_NOMEM;
	if (len > INT_MAX || cdb_bread(reader->fd, to, (int)len) < 0)
		return QE_CORRUPT;
	reader->value.len = len;
	return 0;
}

/*
 * 0 with the value in the reader, QE_ABSENT, or an error.  Within bounds that
 * were checked, the end of the file (EIO) comes too early only in a damaged
 * one.
 */
static int
seek_value(struct cdb_reader *reader, struct strv key)
{
	cdbi_t len = 0;
	int found = cdb_seek(reader->fd, key.ptr, (unsigned)key.len, &len);

	if (found > 0)
		return read_value(reader, len);
	if (found == 0)
		return QE_ABSENT;
	return errno == EIO || errno == EINVAL || errno == EPROTO ? QE_CORRUPT
								  : QE_SYS;
}

int
cdb_reader_find(struct cdb_reader *reader, struct strv key, struct strv *value)
{
	struct stat now;
	int r;

	if (key.len > UINT_MAX)
		return QE_ABSENT;
	r = seek_value(reader, key);
	if (r != 0 && r != QE_ABSENT)
		return r;
	if (fstat(reader->fd, &now) < 0)
		return QE_SYS;
	if (!same_content(&now, &reader->st))
		return QE_CORRUPT;
	if (r == 0)
		*value = buf_view(&reader->value);
	return r;
}

struct cdb_writer {
	int fd;
	char *tmp;
	bool finished; /* the library has given its memory back */
	struct cdb_make make;
};

/*
 * Two writers at a time would spoil each other's file: the second waits for
 * the first, and then finds that the name has moved on.
 */
static int
lock_tmp(const char *tmp, unsigned mode, int *out)
{
	struct stat mine, named;
	int fd = -1;

	for (int i = 0; i < CDB_LOCK_TRIES; i++) {
		io_close(&fd);
		fd = open(tmp, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		    (mode_t)mode);
		if (fd < 0)
			return QE_SYS;
		if (flock(fd, LOCK_EX) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (fstat(fd, &mine) == 0 && lstat(tmp, &named) == 0 &&
		    named.st_ino == mine.st_ino &&
		    named.st_dev == mine.st_dev) {
			*out = fd;
			return 0;
		}
	}
	io_close(&fd);
	return QE_SYS;
}

int
cdb_writer_open(const char *tmp, unsigned mode, struct cdb_writer **out)
{
	struct cdb_writer *writer = calloc(1, sizeof(*writer));
	int r;

	if (writer == NULL)
		return QE_NOMEM;
	writer->fd = -1;
	writer->tmp = strdup(tmp);
	r = writer->tmp == NULL ? QE_NOMEM : lock_tmp(tmp, mode, &writer->fd);
	if (r == 0 && (ftruncate(writer->fd, 0) < 0 ||
			  fchmod(writer->fd, (mode_t)mode) < 0 ||
			  cdb_make_start(&writer->make, writer->fd) < 0))
		r = QE_SYS;
	if (r != 0) {
		io_close(&writer->fd);
		free(writer->tmp);
		free(writer);
		return r;
	}
	*out = writer;
	return 0;
}

int
cdb_writer_add(struct cdb_writer *writer, struct strv key, struct strv val)
{
	if (key.len > UINT_MAX || val.len > UINT_MAX)
		return QE_LIMIT;
	if (cdb_make_add(&writer->make, key.ptr, (unsigned)key.len, val.ptr,
		(unsigned)val.len) < 0)
		return errno == ENOMEM ? QE_NOMEM : QE_SYS;
	return 0;
}

static void
writer_free(struct cdb_writer **writer)
{
	io_close(&(*writer)->fd);
	free((*writer)->tmp);
	free(*writer);
	*writer = NULL;
}

int
cdb_writer_finish(struct cdb_writer *writer)
{
	if (writer->finished)
		return 0;
	writer->finished = true;
	if (cdb_make_finish(&writer->make) < 0)
		return QE_SYS;
	return io_sync(writer->fd);
}

void
cdb_writer_abort(struct cdb_writer **writer)
{
	int saved = errno;

	if (*writer == NULL)
		return;
	unlink((*writer)->tmp);
	if (!(*writer)->finished)
		cdb_make_finish(&(*writer)->make); /* frees its memory */
	writer_free(writer);
	errno = saved;
}

static int
sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int r;

	if (slash == NULL)
		return io_sync_dir(".");
	dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (dir == NULL)
		return QE_NOMEM;
	r = io_sync_dir(dir);
	free(dir);
	return r;
}

int
cdb_writer_commit(struct cdb_writer **writer, const char *final_path)
{
	int r = cdb_writer_finish(*writer);

	if (r == 0 && rename((*writer)->tmp, final_path) < 0)
		r = QE_SYS;
	if (r != 0) {
		cdb_writer_abort(writer);
		return r;
	}
	r = sync_parent(final_path);
	writer_free(writer);
	return r;
}
