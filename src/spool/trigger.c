/*
 * lock/trigger, both ends (qmail-queue(5)).
 *
 * The FIFO is writable for everybody: what is read from it is a hint, never a
 * fact, and every doubt ends in a search of todo/.
 */
#include "spool/trigger.h"
#include "base/error.h"
#include "base/io.h"
#include "base/strv.h"
#include "spool/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TRIGGER_ID_MAX = 20, /* digits of a 64 bit id */
	TRIGGER_WORD_MAX = TRIGGER_ID_MAX + 1,
	TRIGGER_CHUNK = 4096,
	TRIGGER_PAGE = 4096
};

static const char trigger_path[] = "lock/trigger";

void
trigger_pull(uint64_t id)
{
	char word[TRIGGER_WORD_MAX + 1];
	int fd = open(trigger_path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	int n;

	if (fd < 0)
		return;
	n = snprintf(word, sizeof(word), "%ju", (uintmax_t)id);
	/* Less than PIPE_BUF bytes arrive whole or not at all. */
	if (n > 0 && write(fd, word, (size_t)n + 1) < 0)
		errno = 0; /* nobody listens, or the reader will search */
	io_close(&fd);
}

/* A plain file would always be readable, so only a FIFO will do. */
static int
open_both(struct trigger *t)
{
	struct stat st;
	int size;

	if (fstat(t->fd, &st) < 0)
		return QE_SYS;
	if (!S_ISFIFO(st.st_mode)) {
		errno = EINVAL;
		return QE_SYS;
	}
	t->keep_fd = open(trigger_path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (t->keep_fd < 0)
		return QE_SYS;
	size = fcntl(t->fd, F_GETPIPE_SZ);
	t->capacity = size < 0 ? 0 : (unsigned)size;
	return 0;
}

int
trigger_open(struct trigger *t)
{
	t->keep_fd = -1;
	t->partial_len = 0;
	t->fd = open(trigger_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return QE_SYS;
	if (open_both(t) == 0)
		return 0;
	io_close(&t->fd);
	return QE_SYS;
}

void
trigger_close(struct trigger *t)
{
	io_close(&t->fd);
	io_close(&t->keep_fd);
}

/*
 * True if a puller may have found the FIFO full before we took got bytes: what
 * was in it is what we took and what is left.  A full FIFO may hold less than
 * its size: its first page may have been read in part, and the end of a page
 * stays free when the next word does not fit.
 */
static bool
was_perhaps_full(const struct trigger *t, size_t got, bool emptied)
{
	size_t pages = t->capacity / TRIGGER_PAGE;
	int left = 0;

	if (!emptied && ioctl(t->fd, FIONREAD, &left) < 0)
		return true;
	return got + (size_t)left + TRIGGER_PAGE + pages * TRIGGER_WORD_MAX >=
	       t->capacity;
}

/* The end of a word: an id, or a reason to search. */
static unsigned
take_word(struct trigger *t, uint64_t *id, bool *scan)
{
	struct strv word = strv_from(t->partial, t->partial_len);
	bool whole = t->partial_len <= TRIGGER_ID_MAX;

	t->partial_len = 0;
	if (whole && queue_id_parse(word, id) == 0)
		return 1;
	*scan = true;
	return 0;
}

unsigned
trigger_read(struct trigger *t, uint64_t *ids, unsigned max, bool *scan)
{
	char chunk[TRIGGER_CHUNK];
	size_t want = sizeof(chunk);
	unsigned count = 0;
	ssize_t got;

	/* The shortest id takes two bytes, so this many cannot be too many. */
	if (max < want / 2)
		want = max == 0 ? 0 : (size_t)max * 2 - 1;
	got = want == 0 ? 0 : io_read(t->fd, chunk, want);
	if (got <= 0)
		return 0;
	if (was_perhaps_full(t, (size_t)got, (size_t)got < want))
		*scan = true;
	for (ssize_t i = 0; i < got; i++) {
		if (chunk[i] == '\0')
			count += take_word(t, &ids[count], scan);
		else if (t->partial_len < sizeof(t->partial))
			t->partial[t->partial_len++] = chunk[i];
	}
	return count;
}
