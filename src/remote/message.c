/*
 * The message: a regular file that qmail-rspawn opened for us.  A small one
 * is read once and kept, so that looking at it before sending costs nothing.
 */
#include "remote/message.h"

#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Wrappers may hand us a pipe; another exchanger needs it a second time. */
static int
copy_to_memory(struct message *m, int from)
{
	int to = memfd_create("message", MFD_CLOEXEC);
	ssize_t got;

	if (to < 0)
		return QE_SYS;
	for (;;) {
		got = io_read(from, m->data, MESSAGE_PIECE);
		if (got <= 0 || io_write_all(to, m->data, (size_t)got) < 0)
			break;
	}
	if (got != 0) {
		io_close(&to);
		return QE_SYS;
	}
	m->fd = to;
	m->owns_fd = true;
	return 0;
}

int
message_open(int fd, struct message *out)
{
	struct message m = { .fd = fd };
	struct stat st;
	int r = 0;

	if (fstat(fd, &st) < 0)
		return QE_SYS;
	m.data = malloc(MESSAGE_PIECE);
	if (m.data == NULL)
		return QE_NOMEM;
	if (S_ISREG(st.st_mode))
		m.start = lseek(fd, 0, SEEK_CUR);
	else
		r = copy_to_memory(&m, fd);
	if (r < 0 || m.start < 0) {
		free(m.data);
		return QE_SYS;
	}
	m.at = m.start;
	*out = m;
	return 0;
}

void
message_close(struct message *m)
{
	if (m->owns_fd)
		io_close(&m->fd);
	free(m->data);
	m->data = NULL;
}

int
message_bytes(const struct message *m, uint64_t *bytes)
{
	struct stat st;

	if (fstat(m->fd, &st) < 0)
		return QE_SYS;
	*bytes = st.st_size > m->start ? (uint64_t)(st.st_size - m->start) : 0;
	return 0;
}

void
message_rewind(struct message *m)
{
	m->at = m->start;
}

static ssize_t
read_at(const struct message *m, char *to, size_t n, off_t at)
{
	ssize_t got;

	do
		got = pread(m->fd, to, n, at);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Fills the buffer as far as the file goes. */
static int
fill(struct message *m)
{
	m->len = 0;
	while (m->len < MESSAGE_PIECE) {
		ssize_t got = read_at(m, m->data + m->len,
		    MESSAGE_PIECE - m->len, m->at + (off_t)m->len);

		if (got < 0)
			return QE_SYS;
		if (got == 0)
			break;
		m->len += (size_t)got;
	}
	return 0;
}

int
message_next(struct message *m, struct strv *piece)
{
	bool first = m->at == m->start;

	if (!(m->whole && first)) {
		if (m->whole)
			return QE_EOF;
		if (fill(m) < 0)
			return QE_SYS;
		m->whole = first && m->len < MESSAGE_PIECE;
	}
	if (m->len == 0)
		return QE_EOF;
	m->at += (off_t)m->len;
	*piece = strv_from(m->data, m->len);
	return 0;
}

static bool
has_eight_bit(struct strv piece)
{
	unsigned char all = 0;

	for (size_t i = 0; i < piece.len; i++)
		all |= (unsigned char)piece.ptr[i];
	return (all & 0x80) != 0;
}

static uint64_t
count_byte(struct strv piece, char c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < piece.len; i++)
		n += piece.ptr[i] == c;
	return n;
}

/* CR LF pairs; *last_cr tells of a CR that ended the piece before. */
static uint64_t
count_pairs(struct strv piece, bool *last_cr)
{
	uint64_t n = *last_cr && piece.ptr[0] == '\n';
	size_t at = 0;

	for (;;) {
		struct strv rest = strv_skip(piece, at);
		size_t cr = strv_find(rest, '\r');

		if (cr == STRV_NPOS)
			break;
		at += cr + 1;
		n += at < piece.len && piece.ptr[at] == '\n';
	}
	*last_cr = piece.ptr[piece.len - 1] == '\r';
	return n;
}

/* Every CR, LF or CR LF is one line end of two bytes on the wire. */
int
message_scan(struct message *m)
{
	bool last_cr = false;
	char last = '\n';
	struct strv piece;
	int r;

	if (m->scanned)
		return 0;
	m->wire_bytes = 0;
	m->eight_bit = false;
	message_rewind(m);
	while ((r = message_next(m, &piece)) == 0) {
		uint64_t lone =
		    count_byte(piece, '\n') + count_byte(piece, '\r');

		/* Each pair holds one CR and one LF that need no partner. */
		m->wire_bytes += piece.len + lone;
		m->wire_bytes -= 2 * count_pairs(piece, &last_cr);
		m->eight_bit = m->eight_bit || has_eight_bit(piece);
		last = piece.ptr[piece.len - 1];
	}
	if (last != '\n' && last != '\r')
		m->wire_bytes += 2; /* we complete the last line */
	m->scanned = r == QE_EOF;
	message_rewind(m);
	return r == QE_EOF ? 0 : r;
}
