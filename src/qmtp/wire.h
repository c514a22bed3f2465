/*
 * Netstrings from and to a network peer, read as they come: a length is
 * believed only as far as bytes follow it, and a box inside a netstring cannot
 * be left by what is in it.
 */
#ifndef QMTP_WIRE_H
#define QMTP_WIRE_H

#include "base/buf.h"
#include "base/io.h"

enum {
	WIRE_BUFFER = 8192,
	WIRE_LENGTH_MAX = 200000000, /* bytes of one netstring */
	WIRE_SECONDS_MAX = 3600      /* of a session */
};

#define WIRE_NO_BOX UINT64_MAX

struct wire {
	struct source in;
	struct sink out;
	int64_t end_ms; /* of the session */
	uint64_t box;   /* bytes left of the netstring around; or WIRE_NO_BOX */
	char in_data[WIRE_BUFFER], out_data[WIRE_BUFFER];
};

void wire_init(struct wire *w, int in_fd, int out_fd);
/*
 * The length of the netstring that begins here.  0; QE_EOF (nothing at all
 * came); QE_SYNTAX (also: an end in the middle, or more than the box holds);
 * QE_LIMIT; QE_TIMEOUT; QE_SYS.  What is waiting to be said is said first.
 */
int wire_length(struct wire *w, uint64_t *length);
/*
 * At least one of the next bytes, at most max, taken; the view lives until
 * the next call.  As above; an end is QE_SYNTAX.
 */
int wire_piece(struct wire *w, uint64_t max, struct strv *piece);
/* The comma behind a netstring. */
int wire_comma(struct wire *w);
/*
 * A whole netstring with its comma.  What is longer than out's max is read
 * and cut, and shows as an error in out.
 */
int wire_text(struct wire *w, struct buf *out);
/* What follows is inside a netstring of this length, until wire_leave. */
void wire_enter(struct wire *w, uint64_t length);
/* 0 if all of it has been read, else QE_SYNTAX; takes its comma. */
int wire_leave(struct wire *w);
/* Keeps a netstring to be sent. */
int wire_say(struct wire *w, struct strv text);

#endif
