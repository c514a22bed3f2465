/*
 * A cache that needs no cleaning: the hash of an address is the name of its
 * file, and a collision forgets.  A file is rewritten in place under its
 * lock; readers share the lock, so none sees half a record, and a record that
 * a crash cut short does not parse.
 */
#include "smtpd/callback_cache.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "mail/address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CACHE_PATH_MAX = 64 };

static const char letters[] = { [CALLBACK_ACCEPTED] = 'A',
	[CALLBACK_REFUSED] = 'R',
	[CALLBACK_UNDECIDED] = 'U',
	[CALLBACK_DEAD] = 'D' };

/* Domains are the same in every case; local parts are their owner's. */
static void
add_key(struct buf *out, struct strv address)
{
	struct strv local = address_local(address);

	buf_add_view(out, local);
	buf_add_lower(out, strv_skip(address, local.len));
}

/* FNV-1a: spreads well, and an attacker who collides only forgets. */
static uint64_t
hash(struct strv v)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < v.len; i++) {
		h ^= (unsigned char)v.ptr[i];
		h *= UINT64_C(0x100000001b3);
	}
	return h ^ h >> 32;
}

/* "R 17 user@host.example\n" and 17 bytes. */
void
callback_record_make(struct buf *out, struct strv address,
    enum callback_result result, struct strv said)
{
	buf_add_char(out, letters[result]);
	buf_add_char(out, ' ');
	buf_add_u64(out, said.len);
	buf_add_char(out, ' ');
	add_key(out, address);
	buf_add_char(out, '\n');
	buf_add_view(out, said);
}

static int
parse_letter(struct strv letter, enum callback_result *result)
{
	for (size_t i = 0; letter.len == 1 && i < sizeof(letters); i++) {
		if (letters[i] == letter.ptr[0]) {
			*result = (enum callback_result)i;
			return 0;
		}
	}
	return QE_CORRUPT;
}

static bool
is_key_of(struct strv key, struct strv address)
{
	struct strv local = address_local(address);

	return strv_starts(key, local) &&
	       strv_eq_nocase(
		   strv_skip(key, local.len), strv_skip(address, local.len));
}

int
callback_record_parse(struct strv record, struct strv address,
    enum callback_result *result, struct strv *said)
{
	enum callback_result kept = CALLBACK_DEAD;
	struct strv rest = record;
	bool ended, complete;
	struct strv key = strv_cut(&rest, '\n', &ended);
	struct strv letter = strv_cut(&key, ' ', NULL);
	struct strv length = strv_cut(&key, ' ', &complete);
	uint64_t n = 0;

	if (!ended || !complete || parse_letter(letter, &kept) != 0 ||
	    strv_to_u64(length, CALLBACK_SAID_MAX, &n) != 0 || n != rest.len ||
	    (n > 0 && rest.ptr[n - 1] != '\n'))
		return QE_CORRUPT;
	if (!is_key_of(key, address))
		return QE_ABSENT;
	*result = kept;
	*said = rest;
	return 0;
}

/* -1 where there is no cache, or nothing in it to trust. */
static int
open_file(struct strv address)
{
	struct buf key = BUF_LIMIT(CALLBACK_RECORD_MAX);
	char path[CACHE_PATH_MAX];
	struct stat st;
	int fd = -1;

	add_key(&key, address);
	snprintf(path, sizeof(path), CALLBACK_CACHE_DIR "/%03x",
	    (unsigned)(hash(buf_view(&key)) % CALLBACK_CACHE_FILES));
	if (key.err == 0)
		fd = open(path,
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		    0600);
	buf_free(&key);
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
		io_close(&fd);
	return fd;
}

static bool
is_fresh(int fd, const struct mfcheck_times *times, enum callback_result result)
{
	int64_t life =
	    result == CALLBACK_ACCEPTED ? times->accepted : times->other;
	int64_t now = clock_wall();
	struct stat st;

	/* From the future: the clock was put back, and tells us nothing. */
	return fstat(fd, &st) == 0 && (int64_t)st.st_mtime <= now &&
	       now - (int64_t)st.st_mtime < life;
}

/* True with the outcome if the file tells it. */
static bool
read_outcome(int fd, struct strv address, const struct mfcheck_times *times,
    struct callback_outcome *outcome)
{
	struct buf record = BUF_LIMIT(CALLBACK_RECORD_MAX);
	enum callback_result result = CALLBACK_DEAD;
	struct strv said = STRV_EMPTY;
	bool known;

	known = lseek(fd, 0, SEEK_SET) == 0 && file_read_fd(fd, &record) == 0 &&
		callback_record_parse(
		    buf_view(&record), address, &result, &said) == 0 &&
		is_fresh(fd, times, result);
	if (known) {
		outcome->result = result;
		buf_reset(&outcome->said);
		buf_add_view(&outcome->said, said);
	}
	buf_free(&record);
	return known;
}

/* 0, QE_TIMEOUT while another has it, QE_SYS. */
static int
lock(int fd, int how)
{
	if (flock(fd, how | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK || errno == EINTR ? QE_TIMEOUT : QE_SYS;
}

/* One look: first as a reader, then as the one who will ask. */
static enum callback_known
look(int fd, struct strv address, const struct mfcheck_times *times,
    struct callback_outcome *outcome)
{
	int r = lock(fd, LOCK_SH);

	if (r == 0 && read_outcome(fd, address, times, outcome))
		return CALLBACK_KNOWN;
	if (r == 0)
		r = lock(fd, LOCK_EX);
	if (r == QE_TIMEOUT)
		return CALLBACK_BUSY;
	if (r != 0)
		return CALLBACK_UNKEPT;
	/* Between the two locks another may have been faster. */
	return read_outcome(fd, address, times, outcome) ? CALLBACK_KNOWN
							 : CALLBACK_OURS;
}

enum callback_known
callback_cache_get(struct strv address, const struct mfcheck_times *times,
    int64_t deadline_ms, struct callback_outcome *outcome, int *fd)
{
	enum callback_known known = CALLBACK_UNKEPT;
	int file = -1;

	if (times->accepted > 0 || times->other > 0)
		file = open_file(address);
	if (file < 0)
		return CALLBACK_UNKEPT;
	while ((known = look(file, address, times, outcome)) == CALLBACK_BUSY &&
	       clock_mono_ms() < deadline_ms)
		clock_sleep_ms(CALLBACK_CACHE_POLL_MS);
	if (known == CALLBACK_OURS)
		*fd = file;
	else
		io_close(&file);
	return known;
}

void
callback_cache_put(
    int *fd, struct strv address, const struct callback_outcome *outcome)
{
	struct buf record = BUF_LIMIT(CALLBACK_RECORD_MAX);

	if (outcome != NULL) {
		callback_record_make(&record, address, outcome->result,
		    buf_view(&outcome->said));
		/* Half a record does not parse; the next one replaces it. */
		if (record.err != 0 || ftruncate(*fd, 0) != 0 ||
		    pwrite(*fd, record.data, record.len, 0) !=
			(ssize_t)record.len)
			(void)!ftruncate(*fd, 0);
	}
	buf_free(&record);
	io_close(fd);
}
