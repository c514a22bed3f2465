/* Netstrings over a connection; see the header. */
#include "qmtp/wire.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>

enum { DIGITS_MAX = 10 };

void
wire_init(struct wire *w, int in_fd, int out_fd)
{
	source_init(&w->in, in_fd, w->in_data, sizeof(w->in_data));
	sink_init(&w->out, out_fd, w->out_data, sizeof(w->out_data));
	w->end_ms = clock_deadline(WIRE_SECONDS_MAX);
	w->out.end_ms = w->end_ms;
	w->box = WIRE_NO_BOX;
}

int
wire_piece(struct wire *w, uint64_t max, struct strv *piece)
{
	size_t n;
	int r;

	if (max > w->box)
		max = w->box;
	if (max == 0)
		return QE_SYNTAX;
	if (source_peek(&w->in).len == 0) {
		r = sink_flush(&w->out);
		if (r == 0)
			r = source_fill(&w->in, w->end_ms);
		if (r != 0)
			return r == QE_EOF ? QE_SYNTAX : r;
	}
	*piece = source_peek(&w->in);
	n = piece->len < max ? piece->len : (size_t)max;
	*piece = strv_head(*piece, n);
	source_take(&w->in, n);
	if (w->box != WIRE_NO_BOX)
		w->box -= n;
	return 0;
}

static int
wire_byte(struct wire *w, char *c)
{
	struct strv piece;
	int r = wire_piece(w, 1, &piece);

	if (r == 0)
		*c = piece.ptr[0];
	return r;
}

/* Is there anything more?  An end before a netstring is no mistake. */
static int
wire_begin(struct wire *w)
{
	int r;

	if (w->box != WIRE_NO_BOX || source_peek(&w->in).len > 0)
		return 0;
	r = sink_flush(&w->out);
	return r != 0 ? r : source_fill(&w->in, w->end_ms);
}

int
wire_length(struct wire *w, uint64_t *length)
{
	char digits[DIGITS_MAX + 1];
	size_t n = 0;
	int r = wire_begin(w);

	while (r == 0 && n < sizeof(digits)) {
		r = wire_byte(w, &digits[n]);
		if (r == 0 && digits[n] == ':')
			break;
		if (r == 0 && !ascii_is_digit(digits[n]))
			r = QE_SYNTAX;
		n++;
	}
	if (r != 0)
		return r;
	if (n == 0 || (n > 1 && digits[0] == '0'))
		return QE_SYNTAX;
	if (n == sizeof(digits))
		return QE_LIMIT;
	r = strv_to_u64(strv_from(digits, n), WIRE_LENGTH_MAX, length);
	if (r == 0 && *length >= w->box)
		r = QE_SYNTAX; /* not even its comma would fit */
	return r;
}

int
wire_comma(struct wire *w)
{
	char c = '\0';
	int r = wire_byte(w, &c);

	return r == 0 && c != ',' ? QE_SYNTAX : r;
}

int
wire_text(struct wire *w, struct buf *out)
{
	uint64_t left = 0;
	int r = wire_length(w, &left);

	buf_reset(out);
	while (r == 0 && left > 0) {
		struct strv piece;

		r = wire_piece(w, left, &piece);
		if (r != 0)
			break;
		left -= piece.len;
		buf_add_view(out, piece);
	}
	return r == 0 ? wire_comma(w) : r;
}

void
wire_enter(struct wire *w, uint64_t length)
{
	w->box = length;
}

int
wire_leave(struct wire *w)
{
	bool whole = w->box == 0;

	w->box = WIRE_NO_BOX;
	return whole ? wire_comma(w) : QE_SYNTAX;
}

int
wire_say(struct wire *w, struct strv text)
{
	char head[DIGITS_MAX + 16];
	int n = snprintf(head, sizeof(head), "%zu:", text.len);
	int r = sink_put(&w->out, head, (size_t)n);

	if (r == 0)
		r = sink_put_view(&w->out, text);
	return r == 0 ? sink_put(&w->out, ",", 1) : r;
}
