/*
 * Counters shared by all sessions.  Places are lock files: a session that
 * dies gives its place back.  Connections to an address are counted in a small
 * file that starts anew when its window is over.
 *
 * Without the directory nothing is counted; the limit of each session and
 * tcpserver's limit of sessions are what remains.
 */
#include "smtpd/callback_limits.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "smtpd/callback_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { LIMIT_PATH_MAX = 64, COUNTER_MAX = 64, NET_BYTES = 8 };

/* What it was opened for; -1 with errno. */
static int
open_file(const char *kind, unsigned number)
{
	char path[LIMIT_PATH_MAX];

	snprintf(
	    path, sizeof(path), CALLBACK_CACHE_DIR "/%s.%02x", kind, number);
	return open(
	    path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
}

bool
callback_place_take(int *fd)
{
	for (unsigned i = 0; i < CALLBACKS_AT_ONCE_MAX; i++) {
		int file = open_file("place", i);

		*fd = -1;
		if (file < 0)
			return errno == ENOENT || errno == ENOTDIR ||
			       errno == EACCES;
		if (flock(file, LOCK_EX | LOCK_NB) == 0) {
			*fd = file;
			return true;
		}
		io_close(&file);
	}
	return false;
}

/* All of a customer's IPv6 addresses are one. */
static unsigned
counter_of(const struct ipaddr *ip)
{
	size_t n = ip->family == AF_INET ? 4 : NET_BYTES;
	uint32_t h = UINT32_C(2166136261);

	for (size_t i = 0; i < n; i++) {
		h ^= ip->bytes[i];
		h *= UINT32_C(16777619);
	}
	return (h ^ h >> 16) % CALLBACK_COUNTER_FILES;
}

/* "<start of the window> <count>"; anything else counts as nothing. */
static uint64_t
read_count(int fd, uint64_t now, uint64_t *start)
{
	struct buf text = BUF_LIMIT(COUNTER_MAX);
	struct strv rest, first;
	uint64_t begun = 0, count = 0;
	bool good = file_read_fd(fd, &text) == 0;

	rest = strv_trim_end(buf_view(&text));
	first = strv_cut(&rest, ' ', NULL);
	good = good && strv_to_u64(first, INT64_MAX, &begun) == 0 &&
	       strv_to_u64(rest, CALLBACKS_ADDRESS_MAX, &count) == 0 &&
	       begun <= now && now - begun < CALLBACKS_WINDOW;
	buf_free(&text);
	*start = good ? begun : now;
	return good ? count : 0;
}

static void
write_count(int fd, uint64_t start, uint64_t count)
{
	char text[COUNTER_MAX];
	int n = snprintf(text, sizeof(text), "%020llu %03llu\n",
	    (unsigned long long)start, (unsigned long long)count);

	/* Always of the same length, so that nothing old stays behind. */
	if (pwrite(fd, text, (size_t)n, 0) != n)
		(void)!ftruncate(fd, 0);
}

bool
callback_address_count(const struct ipaddr *ip)
{
	int fd = open_file("count", counter_of(ip));
	uint64_t start, count;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
	/* Held for a few microseconds by whoever has it. */
	if (flock(fd, LOCK_EX) != 0) {
		io_close(&fd);
		return false;
	}
	count = read_count(fd, (uint64_t)clock_wall(), &start);
	if (count < CALLBACKS_ADDRESS_MAX)
		write_count(fd, start, count + 1);
	io_close(&fd);
	return count < CALLBACKS_ADDRESS_MAX;
}
