/* A message on its way from a QMTP or QMQP client to qmail-queue. */
#ifndef QMTP_PARCEL_H
#define QMTP_PARCEL_H

#include "base/buf.h"
#include "qmtp/wire.h"
#include "spool/submit.h"

enum {
	PARCEL_ADDRESS_MAX = 999, /* bytes */
	PARCEL_RECIPIENTS_MAX = 100000,
	PARCEL_REPLY_MAX = 512
};

/* How lines of the message end. */
enum parcel_lines { PARCEL_LF, PARCEL_CRLF };

struct parcel {
	struct submit submit;
	bool submitting;
	bool after_cr;           /* a CR waits for what follows it */
	uint64_t size, size_max; /* 0: no limit */
	bool too_large;
	struct buf block;
};

/*
 * Starts qmail-queue and gives it the Received field.  0 or QE_SYS.  After 0
 * parcel_abort or parcel_close is due.
 */
int parcel_open(
    struct parcel *p, struct wire *w, const char *protocol, uint64_t size_max);
/* Takes length bytes of message off the wire: 0 or a code of wire_piece. */
int parcel_receive(
    struct parcel *p, struct wire *w, uint64_t length, enum parcel_lines lines);
/* Can mail be sent to it, or from it? */
bool parcel_is_address(const struct buf *address);
void parcel_abort(struct parcel *p);
/* Commits; the reply without its netstring, "Kok 1795310514 qp 23399". */
void parcel_close(struct parcel *p, struct wire *w, struct buf *reply);
void parcel_free(struct parcel *p);

#endif
