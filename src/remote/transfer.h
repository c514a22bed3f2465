/* One message for one or more recipients over an open session. */
#ifndef REMOTE_TRANSFER_H
#define REMOTE_TRANSFER_H

#include "remote/message.h"
#include "remote/peer.h"
#include "remote/report.h"

enum {
	/* Commands, and bytes of them, sent ahead of their replies: little
	 * enough that neither side ever blocks in writing to the other. */
	TRANSFER_AHEAD_MAX = 100,
	TRANSFER_AHEAD_BYTES = 16384
};

struct transfer {
	struct peer *peer;
	struct message *message;
	struct report *report;
	struct strv sender;
};

enum verdict {
	VERDICT_FINAL, /* the report stands */
	VERDICT_NEXT   /* nothing was accepted: another exchanger may try */
};

/*
 * Asks for every recipient that has not been rejected for good.  The report
 * has a record for the message in any case.
 */
enum verdict transfer_run(struct transfer *t);

#endif
