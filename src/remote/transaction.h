/* One message for one or more recipients over an open session. */
#ifndef REMOTE_TRANSACTION_H
#define REMOTE_TRANSACTION_H

#include "remote/message.h"
#include "remote/report.h"
#include "remote/session.h"

enum {
	/* Commands, and bytes of them, sent ahead of their replies: little
	 * enough that neither side ever blocks in writing to the other. */
	TRANSACTION_AHEAD_MAX = 100,
	TRANSACTION_AHEAD_BYTES = 16384
};

struct transaction {
	struct session *session;
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
enum verdict transaction_run(struct transaction *t);

#endif
