/*
 * The line reader: bounded in memory by the caller's buffer and in time by
 * one deadline for the whole line, however fast or slowly its bytes come.
 */
#include "smtp/line.h"
#include "base/clock.h"
#include "base/error.h"

#include <errno.h>

struct line_state {
	struct buf *out;
	unsigned flaws;
	bool held_cr; /* the last byte was a CR; LF may follow */
};

/* Stores what still fits; what does not is only noted. */
static void
store(struct line_state *l, struct strv bytes)
{
	struct buf *out = l->out;
	size_t max = out->max == 0 ? BUF_MAX_DEFAULT : out->max;
	struct strv fits = strv_head(bytes, max - out->len);

	if (fits.len < bytes.len)
		l->flaws |= LINE_TOO_LONG;
	buf_add_view(out, fits);
}

/* Bytes of a line; a CR at their very end may belong to the line's end. */
static void
take_bytes(struct line_state *l, struct strv bytes)
{
	if (bytes.len == 0)
		return;
	if (l->held_cr) {
		l->flaws |= LINE_BARE_CR;
		store(l, STRV("\r"));
	}
	l->held_cr = bytes.ptr[bytes.len - 1] == '\r';
	if (l->held_cr)
		bytes.len--;
	if (strv_find(bytes, '\r') != STRV_NPOS)
		l->flaws |= LINE_BARE_CR;
	if (strv_find(bytes, '\0') != STRV_NPOS)
		l->flaws |= LINE_HAS_NUL;
	store(l, bytes);
}

/*
 * A peer whose bytes are always there already never makes poll(2) wait, so
 * the deadline is looked at before each further read as well.
 */
static int
fill(struct source *in, int64_t deadline_ms, bool first)
{
	if (!first && deadline_ms != IO_FOREVER && in->pos == in->len &&
	    clock_mono_ms() >= deadline_ms) {
		errno = ETIMEDOUT;
		return QE_TIMEOUT;
	}
	return source_fill(in, deadline_ms);
}

int
line_read(
    struct source *in, int64_t deadline_ms, struct buf *out, unsigned *flaws)
{
	size_t left = SIZE_MAX;

	return line_read_within(in, deadline_ms, out, flaws, &left);
}

int
line_read_within(struct source *in, int64_t deadline_ms, struct buf *out,
    unsigned *flaws, size_t *left)
{
	struct line_state l = { .out = out };
	bool first = true;
	size_t end, taken;

	buf_reset(out);
	do {
		struct strv bytes;
		int r = *left == 0 ? QE_LIMIT : fill(in, deadline_ms, first);

		if (r != 0) {
			buf_reset(out);
			return r;
		}
		first = false;
		bytes = strv_head(source_peek(in), *left);
		end = strv_find(bytes, '\n');
		take_bytes(&l, strv_head(bytes, end));
		taken = end == STRV_NPOS ? bytes.len : end + 1;
		source_take(in, taken);
		*left -= taken;
		if (out->err != 0)
			return out->err;
	} while (end == STRV_NPOS);
	if (!l.held_cr)
		l.flaws |= LINE_BARE_LF;
	*flaws = l.flaws;
	return 0;
}
