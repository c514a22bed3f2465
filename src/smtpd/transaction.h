/*
 * One message on its way in: sender and recipients, from MAIL to the reply to
 * its data.  Recipients are kept in their wire form, one block of bytes.
 */
#ifndef SMTPD_TRANSACTION_H
#define SMTPD_TRANSACTION_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tap;

enum {
	RECIPIENTS_MAX = 100000,        /* whatever control/maxrcpt says */
	RECIPIENTS_BYTES_MAX = 2 << 20, /* of all their addresses */
	ADDRESS_BYTES_MAX = 1002,       /* qmail-queue takes no longer one */
	FIELDS_BYTES_MAX = 65536,       /* of what is put before the message */
	TAPS_MAX = 8
};

struct transaction {
	bool open; /* MAIL was accepted */
	struct buf sender;
	struct buf recipients; /* each ended by NUL */
	size_t recipient_count;
	bool is_spam;           /* one of them is $BLACKLISTED */
	struct buf candidate;   /* the recipient that checks look at */
	int64_t announced_size; /* SIZE= of MAIL; 0: none */
	/* Header fields to put before the message, each line ended by LF;
	 * whoever has some appends them before DATA is accepted. */
	struct buf fields;
	const struct tap *taps[TAPS_MAX]; /* who looks at the message */
	size_t tap_count;
	int64_t
	    dot_deadline_ms; /* for the reply to the final dot; 0: not yet */
};

void transaction_init(struct transaction *t);
/* Forgets the message; memory beyond a small amount is given back. */
void transaction_reset(struct transaction *t);
void transaction_free(struct transaction *t);

/* Keeps a copy: 0, QE_LIMIT or QE_NOMEM. */
int transaction_add(struct transaction *t, struct strv recipient);
/* The next recipient off *rest (first: all); false at the end. */
bool transaction_next_recipient(struct strv *rest, struct strv *recipient);

#endif
