/*
 * Asks an exchanger whether it would take a bounce for an address: HELO,
 * MAIL FROM:<>, RCPT TO:<address>, QUIT, and never any data.
 */
#ifndef SMTPD_CALLBACK_H
#define SMTPD_CALLBACK_H

#include "base/net.h"

enum {
	CALLBACK_PORT = 25,
	CALLBACK_SAID_MAX = 1000, /* bytes of a reply that are kept */
	CALLBACK_LINES_MAX = 10   /* and lines */
};

enum callback_result {
	CALLBACK_ACCEPTED,  /* 2xx to RCPT */
	CALLBACK_REFUSED,   /* 5xx to RCPT */
	CALLBACK_UNDECIDED, /* it answered something else */
	CALLBACK_DEAD       /* it did not come as far as MAIL and RCPT */
};

/* What was asked and what came of it. */
struct callback_outcome {
	enum callback_result result;
	struct buf said; /* reply to RCPT, each line ended by LF; whole lines */
};

/* True if SMTP without extensions can carry the address. */
bool callback_is_askable(struct strv address);

/*
 * Fills in outcome, whose said is emptied first.  Everything, connecting
 * included, ends at the deadline.
 */
void callback_ask(const struct ipaddr *ip, struct strv helo,
    struct strv address, int64_t deadline_ms, struct callback_outcome *outcome);

#endif
