/*
 * Records of sending, "start count" lines and an "end": a record that was cut
 * short does not parse, and then the login waits rather than sends.
 */
#include "smtpd/rate_record.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RATE_NUMBER_MAX_BITS = 62 };

static int
parse_slot(struct strv line, struct rate_record *out)
{
	const uint64_t max = UINT64_C(1) << RATE_NUMBER_MAX_BITS;
	struct strv start = strv_cut(&line, ' ', NULL);
	uint64_t from, n;

	if (out->count == RATE_SLOTS || strv_to_u64(start, max, &from) != 0 ||
	    strv_to_u64(line, RATE_RECIPIENTS_MAX, &n) != 0)
		return QE_CORRUPT;
	out->slots[out->count].start = (int64_t)from;
	out->slots[out->count].count = (int64_t)n;
	out->count++;
	return 0;
}

int
rate_record_parse(struct strv text, struct rate_record *out)
{
	bool ended = text.len == 0;

	out->count = 0;
	while (text.len > 0) {
		bool whole;
		struct strv line = strv_cut(&text, '\n', &whole);

		if (!whole || ended)
			return QE_CORRUPT;
		if (strv_eq(line, STRV("end")))
			ended = true;
		else if (parse_slot(line, out) != 0)
			return QE_CORRUPT;
	}
	return ended ? 0 : QE_CORRUPT;
}

void
rate_record_format(const struct rate_record *r, struct buf *out)
{
	for (size_t i = 0; i < r->count; i++)
		buf_addf(out, "%lld %lld\n", (long long)r->slots[i].start,
		    (long long)r->slots[i].count);
	buf_add_str(out, "end\n");
}

/* Forgets what is too old to count; returns what is left. */
static int64_t
shed(struct rate_record *r, int64_t width, int64_t seconds, int64_t now)
{
	int64_t total = 0;
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++) {
		/* From the future: the clock was put back. */
		if (r->slots[i].start > now)
			r->slots[i].start = now;
		if (r->slots[i].start + width <= now - seconds)
			continue;
		r->slots[kept++] = r->slots[i];
		total += r->slots[i].count;
	}
	r->count = kept;
	return total;
}

bool
rate_record_take(
    struct rate_record *r, const struct rate_limit *limit, int64_t now)
{
	int64_t width = limit->seconds / RATE_PARTS + 1;
	int64_t total = shed(r, width, limit->seconds, now);
	size_t last;

	if (total >= limit->recipients)
		return false;
	/* The limit may have been another one: then they go together. */
	last = r->count;
	if (last > 0 &&
	    (last == RATE_SLOTS || now - r->slots[last - 1].start < width)) {
		r->slots[last - 1].count++;
		return true;
	}
	r->slots[last].start = now;
	r->slots[last].count = 1;
	r->count++;
	return true;
}

/* FNV-1a; two logins that share a file share their limit. */
static uint32_t
hash(struct strv v)
{
	uint32_t h = 0x811c9dc5;

	for (size_t i = 0; i < v.len; i++)
		h = (h ^ (unsigned char)ascii_lower(v.ptr[i])) * 0x01000193;
	return h;
}

void
rate_record_name(struct strv user, struct buf *out)
{
	size_t start = out->len;

	for (size_t i = 0; i < user.len; i++) {
		char c = ascii_lower(user.ptr[i]);

		if (ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' ||
		    c == '_' || c == '@' || (c == '.' && i > 0))
			buf_add_char(out, c);
		else
			buf_addf(out, "=%02x", (unsigned char)c);
	}
	if (out->len - start <= RATE_NAME_MAX)
		return;
	buf_truncate(out, start + RATE_NAME_MAX);
	buf_addf(out, "=%08x", (unsigned)hash(user));
}

static int
open_record(struct strv user)
{
	struct buf path = BUF_LIMIT(2048);
	struct stat st;
	int fd = -1;

	buf_add_str(&path, RATE_DIR "/");
	rate_record_name(user, &path);
	if (buf_cstr(&path) != NULL)
		fd = open(path.data,
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		    0600);
	buf_free(&path);
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
			   flock(fd, LOCK_EX) != 0))
		io_close(&fd);
	return fd;
}

static int
write_record(int fd, const struct rate_record *r)
{
	struct buf text = BUF_LIMIT(RATE_FILE_MAX);
	int result = QE_SYS;

	rate_record_format(r, &text);
	if (text.err != 0)
		result = text.err;
	else if (pwrite(fd, text.data, text.len, 0) == (ssize_t)text.len &&
		 ftruncate(fd, (off_t)text.len) == 0)
		result = 0;
	buf_free(&text);
	return result;
}

static int
take(int fd, const struct rate_limit *limit, int64_t now)
{
	struct buf text = BUF_LIMIT(RATE_FILE_MAX);
	struct rate_record r;
	int result = file_read_fd(fd, &text);
	bool corrupt = result == QE_LIMIT;

	if (result == 0)
		corrupt = rate_record_parse(buf_view(&text), &r) != 0;
	buf_free(&text);
	if (corrupt) {
		r = (struct rate_record){ .count = 1 };
		r.slots[0].start = now;
		r.slots[0].count = limit->recipients;
		result = write_record(fd, &r);
		return result == 0 ? QE_CORRUPT : result;
	}
	if (result != 0)
		return result;
	if (!rate_record_take(&r, limit, now))
		return QE_LIMIT;
	return write_record(fd, &r);
}

int
rate_take(struct strv user, const struct rate_limit *limit, int64_t now)
{
	int fd = open_record(user);
	int r = fd < 0 ? QE_SYS : take(fd, limit, now);

	io_close(&fd);
	return r;
}
