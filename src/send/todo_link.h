/*
 * What qmail-send and qmail-todo say to each other over two pipes: messages
 * with a length in front, a type, and the fields that the type has.
 *
 * Both are programs of this suite and the same user; all the same nothing is
 * believed that does not parse to its last byte.
 */
#ifndef SEND_TODO_LINK_H
#define SEND_TODO_LINK_H

#include "base/buf.h"
#include "conf/resolve.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	LINK_FRESH_MAX = 1000,      /* fresh messages in qmail-send's memory */
	LINK_RECIPIENTS_MAX = 16,   /* of a fresh message */
	LINK_MESSAGE_MAX = 1 << 16, /* bytes behind the length */
	/* Seconds since a leftover was touched: nobody writes that long. */
	LINK_LEFTOVER_AGE = 129600
};

enum link_type {
	/* From qmail-send. */
	LINK_GRANT = 1, /* count: so many fresh messages may come */
	LINK_RELEASE,   /* id: todo/ has it no longer; one credit is back
			 * if it was fresh */
	LINK_WRITE,     /* write info, local, remote of a fresh message */
	LINK_REREAD,    /* controls, after HUP */
	LINK_STOP,      /* take no more new messages */
	/* From qmail-todo. */
	LINK_FRESH,   /* a new message, all of it; todo/ is its only record */
	LINK_QUEUED,  /* a new message whose records are on disk; count: a bit
		       * for each channel */
	LINK_WRITTEN, /* answer to LINK_WRITE; count: 1 done, 0 failed */
	LINK_NOTE,    /* text: a line for the log */
	LINK_STRAY,   /* id: a leftover in mess/ that may be removed */
	LINK_LOOK     /* id: an old message that is due now */
};

struct link_recipient {
	enum channel channel;
	bool done;
	struct strv address;
};

struct link_message {
	enum link_type type;
	uint64_t id;
	uint64_t size, uid, qp; /* FRESH, QUEUED */
	int64_t birth;          /* FRESH, QUEUED, WRITE */
	uint64_t count;
	struct strv text;       /* the sender, or a NOTE */
	size_t recipient_count; /* FRESH, WRITE */
	struct link_recipient recipients[LINK_RECIPIENTS_MAX];
};

/* Appends; a message above LINK_MESSAGE_MAX sets out->err to QE_LIMIT. */
void link_encode(struct buf *out, const struct link_message *m);
/*
 * Takes one message off the front of in: 0 and *used; QE_EOF (more bytes
 * needed); QE_SYNTAX.  Views into in.
 */
int link_decode(struct strv in, struct link_message *m, size_t *used);

#endif
