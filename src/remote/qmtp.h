/* QMTP as a client: one message over an open connection (qmail-remote(8)). */
#ifndef REMOTE_QMTP_H
#define REMOTE_QMTP_H

#include "remote/transfer.h"

enum {
	QMTP_ANSWER_MAX = 10000, /* bytes of the answer for a recipient */
	QMTP_SHOWN_MAX = 1000    /* bytes of it in a report */
};

/* As transfer_run.  The connection serves further messages unless broken. */
enum verdict qmtp_run(struct transfer *t);

#endif
