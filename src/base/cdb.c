/*
 * Constant databases; written through tinycdb.
 *
 * The reader is our own: it uses pread(2), never a mapping, so that a file that
 * is cut short while it is open gives a result code, not a signal, and as few
 * calls as can be.  All tables and records must lie within the file, and it
 * must not change under a look-up.
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
	CDB_SLOTS_AT_ONCE = 16,
	CDB_RECORD = 8,  /* bytes of its two lengths */
	CDB_GUESS = 256, /* bytes of a value that are read with its key */
	CDB_HASH_START = 5381,
	CDB_LOCK_TRIES = 100
};

struct cdb_reader {
	int fd;
	struct stat st;
	int64_t data_end; /* where the first table begins */
	bool has_kept;
	struct buf value, kept;
	unsigned char header[CDB_HEADER];
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
	ssize_t n;

	if (fstat(reader->fd, &reader->st) < 0)
		return QE_SYS;
	if (!S_ISREG(reader->st.st_mode))
		return QE_CORRUPT;
	n = io_read(reader->fd, reader->header, sizeof(reader->header));
	if (n < 0)
		return QE_SYS;
	if (n != (ssize_t)sizeof(reader->header))
		return QE_CORRUPT;
	return check_tables(
	    reader->header, reader->st.st_size, &reader->data_end);
}

int
cdb_reader_open(const char *path, struct cdb_reader **out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct cdb_reader *reader;
	int r;

	if (fd < 0)
		return errno == ENOENT ? QE_ABSENT : QE_SYS;
	reader = calloc(1, sizeof(*reader));
	if (reader == NULL) {
		io_close(&fd);
		return QE_NOMEM;
	}
	reader->fd = fd;
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
	buf_free(&(*reader)->kept);
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

/* Exactly n bytes: what was checked to lie within the file is missing only if
 * the file has been cut. */
static int
read_at(const struct cdb_reader *reader, void *to, size_t n, int64_t at)
{
	ssize_t got;

	do
		got = pread(reader->fd, to, n, at);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return QE_SYS;
	return (size_t)got == n ? 0 : QE_CORRUPT;
}

/* Adds n bytes of the file to the reader's value. */
static int
add_value(struct cdb_reader *reader, size_t n, int64_t at)
{
	char *to = buf_reserve(&reader->value, n);
	int r;

	if (to == NULL)
		return reader->value.err == QE_LIMIT ? QE_CORRUPT : QE_NOMEM;
	r = read_at(reader, to, n, at);
	if (r == 0)
		reader->value.len += n;
	return r;
}

/* The record at a place: 0 with its value, or QE_ABSENT for another key. */
static int
read_record(struct cdb_reader *reader, struct strv key, int64_t at)
{
	int64_t left = reader->data_end - at;
	size_t want = CDB_RECORD + key.len + CDB_GUESS;
	int64_t key_len, whole;
	int r;

	if (at < CDB_HEADER || left < CDB_RECORD)
		return QE_CORRUPT;
	want = left < (int64_t)want ? (size_t)left : want;
	buf_reset(&reader->value);
	r = add_value(reader, want, at);
	if (r != 0)
		return r;
	key_len = cdb_unpack((unsigned char *)reader->value.data);
	whole = CDB_RECORD + key_len +
		cdb_unpack((unsigned char *)reader->value.data + 4);
	if (whole > left)
		return QE_CORRUPT;
	if (key_len != (int64_t)key.len ||
	    !strv_eq(strv_from(reader->value.data + CDB_RECORD, key.len), key))
		return QE_ABSENT;
	if (whole > (int64_t)want)
		r = add_value(reader, (size_t)whole - want, at + (int64_t)want);
	if (r != 0)
		return r;
	buf_truncate(&reader->value, (size_t)whole);
	buf_consume(&reader->value, CDB_RECORD + key.len);
	return 0;
}

static uint32_t
hash_of(struct strv key)
{
	uint32_t hash = CDB_HASH_START;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash * 33) ^ (unsigned char)key.ptr[i];
	return hash;
}

int
cdb_reader_seek(struct cdb_reader *reader, struct strv key, struct strv *value)
{
	uint32_t hash = hash_of(key);
	const unsigned char *table = reader->header + 8 * (hash % CDB_TABLES);
	int64_t start = cdb_unpack(table);
	uint32_t slots = cdb_unpack(table + 4);
	uint32_t first = slots == 0 ? 0 : (hash >> 8) % slots;
	unsigned char block[CDB_SLOTS_AT_ONCE * CDB_SLOT];
	uint32_t n, count;

	/* key.len is what may be large; a record's lengths have 32 bits. */
	if (key.len > UINT32_MAX)
		return QE_ABSENT;
	for (n = 0; n < slots; n += count) {
		uint32_t index = (uint32_t)(((uint64_t)first + n) % slots);
		int r;

		count = slots - index; /* to the table's end, then round */
		count = count < slots - n ? count : slots - n;
		if (count > CDB_SLOTS_AT_ONCE)
			count = CDB_SLOTS_AT_ONCE;
		r = read_at(reader, block, CDB_SLOT * count,
		    start + CDB_SLOT * (int64_t)index);
		for (uint32_t i = 0; r == 0 && i < count; i++) {
			const unsigned char *slot = block + CDB_SLOT * i;

			if (cdb_unpack(slot + 4) == 0)
				return QE_ABSENT;
			if (cdb_unpack(slot) != hash)
				continue;
			r = read_record(reader, key, cdb_unpack(slot + 4));
			if (r == 0)
				*value = buf_view(&reader->value);
			if (r != QE_ABSENT)
				return r;
			r = 0;
		}
		if (r != 0)
			return r;
	}
	return QE_ABSENT;
}

int
cdb_reader_check(const struct cdb_reader *reader)
{
	struct stat now;

	if (fstat(reader->fd, &now) < 0)
		return QE_SYS;
	return same_content(&now, &reader->st) ? 0 : QE_CORRUPT;
}

int
cdb_reader_find(struct cdb_reader *reader, struct strv key, struct strv *value)
{
	int r = cdb_reader_seek(reader, key, value);
	int changed;

	if (r != 0 && r != QE_ABSENT)
		return r;
	changed = cdb_reader_check(reader);
	return changed != 0 ? changed : r;
}

int
cdb_reader_keep(struct cdb_reader *reader, struct strv key, struct strv *value)
{
	struct strv found;
	int r;

	if (!reader->has_kept) {
		r = cdb_reader_seek(reader, key, &found);
		if (r != 0)
			return r;
		buf_reset(&reader->kept);
		buf_add_view(&reader->kept, found);
		if (reader->kept.err != 0)
			return QE_NOMEM;
		reader->has_kept = true;
	}
	*value = buf_view(&reader->kept);
	return 0;
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
