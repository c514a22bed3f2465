/*
 * Ticket keys: made from the kernel's generator, shared by a file, rotated by
 * whoever notices first.  Knows nothing of TLS.
 */
#include "tls/tickets.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FUTURE_MAX = 3600, /* seconds that clocks may have been set back */
	FILE_MAX = TICKETS_KEYS * TICKET_RECORD
};

static int64_t
get_time(const unsigned char *from)
{
	uint64_t n = 0;

	for (int i = 7; i >= 0; i--)
		n = n << 8 | from[i];
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

int
tickets_decode(struct tickets *t, const void *bytes, size_t len, int64_t now)
{
	const unsigned char *from = bytes;

	if (len % TICKET_RECORD != 0 || len > FILE_MAX)
		return QE_CORRUPT;
	t->count = 0;
	for (; len > 0; len -= TICKET_RECORD, from += TICKET_RECORD) {
		struct ticket_key *key = &t->keys[t->count];

		key->created = get_time(from);
		memcpy(key->name, from + 8, TICKET_NAME);
		memcpy(key->cipher, from + 8 + TICKET_NAME, TICKET_SECRET);
		memcpy(key->mac, from + 8 + TICKET_NAME + TICKET_SECRET,
		    TICKET_SECRET);
		if (key->created <= now + FUTURE_MAX)
			t->count++;
	}
	return 0;
}

size_t
tickets_encode(const struct tickets *t, unsigned char out[FILE_MAX])
{
	for (size_t i = 0; i < t->count; i++) {
		const struct ticket_key *key = &t->keys[i];
		unsigned char *to = out + i * TICKET_RECORD;

		for (int b = 0; b < 8; b++)
			to[b] = (unsigned char)(key->created >> (8 * b));
		memcpy(to + 8, key->name, TICKET_NAME);
		memcpy(to + 8 + TICKET_NAME, key->cipher, TICKET_SECRET);
		memcpy(to + 8 + TICKET_NAME + TICKET_SECRET, key->mac,
		    TICKET_SECRET);
	}
	return t->count * TICKET_RECORD;
}

const struct ticket_key *
tickets_find(const struct tickets *t, const unsigned char name[TICKET_NAME])
{
	for (size_t i = 0; i < t->count; i++)
		if (memcmp(t->keys[i].name, name, TICKET_NAME) == 0)
			return &t->keys[i];
	return NULL;
}

static bool
is_young(const struct tickets *t, int64_t now)
{
	return t->count > 0 && t->keys[0].created <= now + FUTURE_MAX &&
	       now - t->keys[0].created < TICKETS_ROTATE;
}

/* A new key in front; the oldest goes. */
static int
rotate(struct tickets *t, int64_t now)
{
	struct ticket_key fresh = { .created = now };
	unsigned char bytes[TICKET_NAME + 2 * TICKET_SECRET];

	/* Up to 256 bytes come whole or not at all. */
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return QE_SYS;
	memcpy(fresh.name, bytes, TICKET_NAME);
	memcpy(fresh.cipher, bytes + TICKET_NAME, TICKET_SECRET);
	memcpy(fresh.mac, bytes + TICKET_NAME + TICKET_SECRET, TICKET_SECRET);
	memmove(t->keys + 1, t->keys, sizeof(t->keys) - sizeof(t->keys[0]));
	t->keys[0] = fresh;
	if (t->count < TICKETS_KEYS)
		t->count++;
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(&fresh, sizeof(fresh));
	return 0;
}

/* A file of somebody else, or one that others read, holds no secrets. */
static int
load(struct tickets *t, int dir, int64_t now)
{
	int fd = openat(dir, "tickets", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct buf bytes = BUF_LIMIT(FILE_MAX);
	struct stat st;
	int r = QE_DENIED;

	if (fd < 0)
		return errno == ENOENT ? QE_ABSENT : QE_SYS;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    (st.st_mode & 077) == 0)
		r = file_read_fd(fd, &bytes);
	io_close(&fd);
	if (r == 0)
		r = tickets_decode(t, bytes.data, bytes.len, now);
	buf_free_secret(&bytes);
	return r;
}

static int
save(const struct tickets *t, int dir)
{
	unsigned char bytes[FILE_MAX];
	size_t n = tickets_encode(t, bytes);
	int fd = openat(dir, "tickets.new",
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return QE_SYS;
	r = fchmod(fd, 0600) < 0 ? QE_SYS : io_write_all(fd, bytes, n);
	io_close(&fd);
	explicit_bzero(bytes, sizeof(bytes));
	if (r == 0 && renameat(dir, "tickets.new", dir, "tickets") < 0)
		r = QE_SYS;
	return r;
}

/* Somebody has to; whoever is second finds the work done. */
static int
rotate_file(struct tickets *t, int dir, int64_t now)
{
	int lock = openat(
	    dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = QE_SYS;

	if (lock >= 0 && flock(lock, LOCK_EX) == 0) {
		(void)load(t, dir, now);
		r = is_young(t, now) ? 0 : rotate(t, now);
		if (r == 0)
			r = save(t, dir);
	}
	io_close(&lock);
	return r;
}

int
tickets_refresh(struct tickets *t, const char *dir, int64_t now, bool *saved)
{
	int64_t clock = clock_mono_ms();
	int fd, r;

	*saved = true;
	if (t->looked != 0 && clock - t->looked < TICKETS_LOOK * INT64_C(1000))
		return 0;
	t->looked = clock;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		r = load(t, fd, now);
		if (r != 0 || !is_young(t, now))
			r = rotate_file(t, fd, now);
		io_close(&fd);
		*saved = r == 0;
	} else {
		*saved = false;
	}
	return is_young(t, now) ? 0 : rotate(t, now);
}
