/* Sending one message; see the header.  RFC 1939 sections 3, 5 and 7. */
#include "pop3/retrieve.h"
#include "base/buf.h"
#include "base/error.h"
#include "smtp/dot.h"

#include <string.h>

enum {
	RETRIEVE_BLOCK = 16 * 1024,
	/* Every byte may become two: CR before LF, a dot before a dot. */
	RETRIEVE_WIRE_MAX = 4 * RETRIEVE_BLOCK
};

/* How much of a message goes out. */
struct limit {
	uint64_t body_lines; /* still to come */
	bool in_body;
	bool line_is_empty; /* so far */
};

/* How many of the bytes are within the limit; less than all is the end. */
static size_t
limit_take(struct limit *l, struct strv bytes)
{
	size_t at = 0;

	if (l->body_lines == RETRIEVE_ALL)
		return bytes.len;
	while (at < bytes.len && !(l->in_body && l->body_lines == 0)) {
		size_t end = strv_find(strv_skip(bytes, at), '\n');

		if (end == STRV_NPOS) {
			l->line_is_empty = false;
			return bytes.len;
		}
		if (l->in_body)
			l->body_lines--;
		else
			l->in_body = l->line_is_empty && end == 0;
		l->line_is_empty = true;
		at += end + 1;
	}
	return at;
}

/* Without a read(2) at the end that only tells that it is the end. */
static int
retrieve_copy(struct sink *out, int fd, uint64_t size, struct limit *limit,
    struct dot_encoder *dots, struct buf *wire)
{
	char block[RETRIEVE_BLOCK];
	uint64_t total = 0;
	ssize_t got;
	size_t use;

	do {
		got = io_read(fd, block, sizeof block);
		if (got < 0)
			return QE_SYS;
		total += (uint64_t)got;
		use = limit_take(limit, strv_from(block, (size_t)got));
		buf_reset(wire);
		dot_encode(dots, strv_from(block, use), wire);
		if (wire->err != 0)
			return wire->err;
		if (sink_put_view(out, buf_view(wire)) != 0)
			return out->err;
	} while (use > 0 && use == (size_t)got &&
		 !(total >= size && use < sizeof block));
	return 0;
}

int
retrieve_send(struct sink *out, int fd, uint64_t size, uint64_t body_lines)
{
	struct limit limit = { .body_lines = body_lines,
		.line_is_empty = true };
	struct buf wire = BUF_LIMIT(RETRIEVE_WIRE_MAX);
	struct dot_encoder dots;
	int r;

	dot_encoder_init(&dots);
	r = retrieve_copy(out, fd, size, &limit, &dots, &wire);
	buf_reset(&wire);
	if (r == 0) {
		dot_encode_end(&dots, &wire);
		buf_add_str(&wire, "\r\n.\r\n");
		r = wire.err;
	}
	if (r == 0)
		r = sink_put_view(out, buf_view(&wire));
	buf_free(&wire);
	return r;
}
