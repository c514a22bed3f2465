/*
 * The dot codec.  Whole pieces between line ends are moved at once; only what
 * stands next to a line end is looked at byte by byte.  Work is linear in the
 * input, whatever it holds.
 */
#include "smtp/dot.h"
#include "smtp/line.h"

enum decoder_state {
	AT_START, /* of a line */
	IN_TEXT,
	AFTER_CR,     /* CR in or after text: only LF may follow */
	AFTER_DOT,    /* a dot that began a line */
	AFTER_DOT_CR, /* only LF may follow, and ends the message */
};

void
dot_decoder_init(struct dot_decoder *d)
{
	*d = (struct dot_decoder){ .state = AT_START };
}

/*
 * Text up to and with the next line end.  The first CR bounds the piece; LF
 * or NUL within it is a flaw, and what stands before a flaw is still given.
 */
static size_t
decode_text(struct dot_decoder *d, struct strv wire, struct buf *out)
{
	size_t cr = strv_find(wire, '\r');
	struct strv piece = strv_head(wire, cr);
	size_t lf = strv_find(piece, '\n');
	size_t nul;

	if (lf != STRV_NPOS) {
		d->flaws |= LINE_BARE_LF;
		piece = strv_head(piece, lf);
	}
	nul = strv_find(piece, '\0');
	if (nul != STRV_NPOS) {
		d->flaws = LINE_HAS_NUL;
		piece = strv_head(piece, nul);
	}
	buf_add_view(out, piece);
	d->state = IN_TEXT;
	if (d->flaws != 0 || cr == STRV_NPOS)
		return piece.len;
	d->state = AFTER_CR;
	return piece.len + 1;
}

static size_t
decode_after_cr(struct dot_decoder *d, char c, struct buf *out)
{
	if (c != '\n') {
		d->flaws |= LINE_BARE_CR;
		return 0;
	}
	if (d->state == AFTER_DOT_CR) {
		d->done = true;
	} else {
		buf_add_char(out, '\n');
		d->state = AT_START;
	}
	return 1;
}

static size_t
decode_some(struct dot_decoder *d, struct strv wire, struct buf *out)
{
	char c = wire.ptr[0];

	switch ((enum decoder_state)d->state) {
	case AT_START:
		if (c != '.')
			return decode_text(d, wire, out);
		d->state = AFTER_DOT;
		return 1;
	case AFTER_DOT:
		if (c != '\r')
			return decode_text(d, wire, out);
		d->state = AFTER_DOT_CR;
		return 1;
	case IN_TEXT:
		return decode_text(d, wire, out);
	case AFTER_CR:
	case AFTER_DOT_CR:
		return decode_after_cr(d, c, out);
	}
	return 0;
}

size_t
dot_decode(struct dot_decoder *d, struct strv wire, struct buf *out)
{
	size_t at = 0;

	while (at < wire.len && !d->done && d->flaws == 0)
		at += decode_some(d, strv_skip(wire, at), out);
	return at;
}

void
dot_encoder_init(struct dot_encoder *d)
{
	*d = (struct dot_encoder){ .line_start = true };
}

static void
add_line_end(struct dot_encoder *d, struct buf *out)
{
	buf_add(out, "\r\n", 2);
	d->line_start = true;
	d->has_nul = false;
}

/*
 * Bytes without CR and LF.  Some readers drop NUL before they look for the
 * dot, so a line is still at its start behind NULs.
 */
static void
add_piece(struct dot_encoder *d, struct strv piece, struct buf *out)
{
	while (piece.len > 0 && d->line_start) {
		if (piece.ptr[0] == '.')
			buf_add_char(out, '.');
		d->has_nul |= piece.ptr[0] == '\0';
		d->line_start = piece.ptr[0] == '\0';
		buf_add_char(out, piece.ptr[0]);
		piece = strv_skip(piece, 1);
	}
	buf_add_view(out, piece);
}

/* A line without its LF; each CR in it ends a line of its own. */
static void
add_line(struct dot_encoder *d, struct strv line, struct buf *out)
{
	while (line.len > 0) {
		bool has_cr;
		struct strv piece = strv_cut(&line, '\r', &has_cr);

		add_piece(d, piece, out);
		if (has_cr)
			add_line_end(d, out);
		d->pending_cr = has_cr;
	}
}

void
dot_encode(struct dot_encoder *d, struct strv message, struct buf *out)
{
	while (message.len > 0) {
		bool has_lf;
		struct strv line = strv_cut(&message, '\n', &has_lf);

		add_line(d, line, out);
		if (!has_lf)
			continue;
		if (!d->pending_cr) /* else CR has ended the line already */
			add_line_end(d, out);
		d->pending_cr = false;
	}
}

bool
dot_encode_end(struct dot_encoder *d, struct buf *out)
{
	d->pending_cr = false;
	if (d->line_start && !d->has_nul)
		return false;
	add_line_end(d, out);
	return true;
}
