/*
 * A fixed table on disk.  A header with the file's secret, then buckets of
 * records; locks are on byte ranges, so that buckets do not wait for one
 * another, and belong to the open file, so that they end with it.
 */
#include "base/hashfile.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_WAIT_MS = 2000, LOCK_POLL_MS = 5, HEADER_SIZE = 64 };

static const char magic[16] = "qmail-md table\n";

struct header {
	char magic[sizeof(magic)];
	unsigned char secret[SIPHASH_KEY];
	uint64_t buckets;
	unsigned char unused[HEADER_SIZE - sizeof(magic) - SIPHASH_KEY -
			     sizeof(uint64_t)];
};

struct bucket {
	struct hashfile_record records[HASHFILE_RECORDS];
};

_Static_assert(sizeof(struct header) == HEADER_SIZE, "no padding");
_Static_assert(sizeof(struct hashfile_record) == 32, "no padding");

/* A lock on some bytes: 0, QE_TIMEOUT, QE_SYS. */
static int
lock(int fd, short how, off_t start, off_t len)
{
	int64_t deadline = clock_mono_ms() + LOCK_WAIT_MS;
	struct flock range = { .l_type = how,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = len };

	while (fcntl(fd, F_OFD_SETLK, &range) < 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return QE_SYS;
		if (clock_mono_ms() >= deadline)
			return QE_TIMEOUT;
		clock_sleep_ms(LOCK_POLL_MS);
	}
	return 0;
}

static off_t
bucket_offset(uint64_t number)
{
	return (off_t)(HEADER_SIZE + number * sizeof(struct bucket));
}

/* Whole reads and writes; less is a file that was cut, or a full disk. */
static int
read_at(int fd, void *to, size_t n, off_t at)
{
	ssize_t got = pread(fd, to, n, at);

	if (got < 0)
		return QE_SYS;
	return (size_t)got == n ? 0 : QE_CORRUPT;
}

static int
write_at(int fd, const void *from, size_t n, off_t at)
{
	ssize_t did = pwrite(fd, from, n, at);

	if (did == (ssize_t)n)
		return 0;
	if (did >= 0)
		errno = ENOSPC;
	return QE_SYS;
}

/* The header comes last: a file without it is begun again. */
static int
begin_file(int fd, uint64_t buckets)
{
	struct header header = { .buckets = buckets };

	memcpy(header.magic, magic, sizeof(magic));
	if (getrandom(header.secret, sizeof(header.secret), 0) !=
	    (ssize_t)sizeof(header.secret))
		return QE_SYS;
	if (ftruncate(fd, bucket_offset(buckets)) < 0)
		return QE_SYS;
	return write_at(fd, &header, sizeof(header), 0);
}

static int
read_header(int fd, uint64_t buckets, struct header *header)
{
	struct stat st;
	int r = read_at(fd, header, sizeof(*header), 0);

	if (r != 0)
		return r;
	if (fstat(fd, &st) < 0)
		return QE_SYS;
	if (memcmp(header->magic, magic, sizeof(magic)) != 0 ||
	    header->buckets != buckets || st.st_size != bucket_offset(buckets))
		return QE_CORRUPT;
	return 0;
}

static bool
is_empty(int fd)
{
	static const struct header nothing;
	struct header header;
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_size == 0)
		return true;
	return read_at(fd, &header, sizeof(header), 0) == 0 &&
	       memcmp(&header, &nothing, sizeof(header)) == 0;
}

static int
prepare(int fd, uint64_t buckets, struct header *header)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return QE_SYS;
	if (!S_ISREG(st.st_mode))
		return QE_CORRUPT;
	if (is_empty(fd)) {
		r = lock(fd, F_WRLCK, 0, HEADER_SIZE);
		/* Another one may have been faster. */
		if (r == 0 && is_empty(fd))
			r = begin_file(fd, buckets);
		if (r != 0)
			return r;
		r = lock(fd, F_UNLCK, 0, HEADER_SIZE);
		if (r != 0)
			return r;
	}
	return read_header(fd, buckets, header);
}

int
hashfile_open(const char *path, uint64_t buckets, struct hashfile *out)
{
	const int how =
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	struct header header;
	int fd, r;

	if (buckets == 0 || buckets > HASHFILE_BUCKETS_MAX)
		return QE_LIMIT;
	fd = open(path, how, 0600);
	if (fd < 0)
		return QE_SYS;
	r = prepare(fd, buckets, &header);
	if (r != 0) {
		io_close(&fd);
		return r;
	}
	*out = (struct hashfile){ .fd = fd, .buckets = buckets };
	memcpy(out->secret, header.secret, sizeof(out->secret));
	return 0;
}

void
hashfile_close(struct hashfile *file)
{
	io_close(&file->fd);
}

static bool
is_free(const struct hashfile_record *r)
{
	return r->first == 0 && r->last == 0;
}

/* True if a is to be forgotten before b. */
static bool
goes_before(const struct hashfile_record *a, const struct hashfile_record *b)
{
	if (is_free(a) || is_free(b))
		return is_free(a) && !is_free(b);
	return a->last < b->last || (a->last == b->last && a->first < b->first);
}

/* The record of the key, or the one that it may have. */
static size_t
choose(const struct bucket *bucket, const unsigned char *key, bool *found)
{
	size_t best = 0;

	for (size_t i = 0; i < HASHFILE_RECORDS; i++) {
		const struct hashfile_record *r = &bucket->records[i];

		*found =
		    !is_free(r) && memcmp(r->key, key, sizeof(r->key)) == 0;
		if (*found)
			return i;
		if (goes_before(r, &bucket->records[best]))
			best = i;
	}
	return best;
}

static uint64_t
bucket_of(const struct hashfile *file, const unsigned char *key)
{
	uint64_t n;

	memcpy(&n, key, sizeof(n));
	return n % file->buckets;
}

static int
update_locked(struct hashfile *file, const unsigned char *key, off_t at,
    bool (*change)(struct hashfile_record *, bool, void *), void *context)
{
	struct bucket bucket;
	struct hashfile_record *record;
	bool found;
	size_t i;
	int r = read_at(file->fd, &bucket, sizeof(bucket), at);

	if (r != 0)
		return r;
	i = choose(&bucket, key, &found);
	record = &bucket.records[i];
	if (!found) {
		*record = (struct hashfile_record){ .first = 0 };
		memcpy(record->key, key, sizeof(record->key));
	}
	if (!change(record, found, context))
		return 0;
	return write_at(file->fd, record, sizeof(*record),
	    at + (off_t)(i * sizeof(*record)));
}

int
hashfile_update(struct hashfile *file, const unsigned char *key,
    bool (*change)(struct hashfile_record *record, bool found, void *context),
    void *context)
{
	off_t at = bucket_offset(bucket_of(file, key));
	int unlocked;
	int r = lock(file->fd, F_WRLCK, at, sizeof(struct bucket));

	if (r != 0)
		return r;
	r = update_locked(file, key, at, change, context);
	unlocked = lock(file->fd, F_UNLCK, at, sizeof(struct bucket));
	return r != 0 ? r : unlocked;
}
