/*
 * The dot codec: the one owner of line ends and dots in both directions
 * (RFC 5321 section 4.5.2, RFC 1939 section 3).
 *
 * Decoder: only CR LF . CR LF ends a message; a bare CR, bare LF or NUL is a
 * flaw that refuses it.  Encoder: every line end we emit is CR LF, whatever
 * the message held, and a dot after each of them is doubled, so that no
 * reading of the stream has a second end.
 */
#ifndef SMTP_DOT_H
#define SMTP_DOT_H

#include "base/buf.h"

struct dot_decoder {
	int state;
	unsigned flaws; /* LINE_BARE_CR, LINE_BARE_LF, LINE_HAS_NUL */
	bool done;
};

void dot_decoder_init(struct dot_decoder *d);
/*
 * Takes bytes from the wire, appends the message's bytes (LF line ends, never
 * more than were taken) to out and returns how many were consumed: fewer than
 * given only when done or at the first flaw; after either, none.
 */
size_t dot_decode(struct dot_decoder *d, struct strv wire, struct buf *out);

enum dot_mode {
	DOT_SMTP, /* CR LF to one line end, lone CR to one too */
	DOT_POP3  /* the same; the caller adds its own closing lines */
};

struct dot_encoder {
	bool line_start; /* true at first and after every line end emitted */
	bool pending_cr; /* a CR ended the line; an LF now is part of it */
	bool has_nul;    /* line_start, but for NULs sent already */
};

void dot_encoder_init(struct dot_encoder *d);
/* Appends the wire form of the bytes to out. */
void dot_encode(struct dot_encoder *d, struct strv message, struct buf *out);
/* Ends a last line that has no end.  True if it had to. */
bool dot_encode_end(struct dot_encoder *d, struct buf *out);

#endif
