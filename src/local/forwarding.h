/* Sends a message on: shared by qmail-local, forward and condredirect. */
#ifndef LOCAL_FORWARDING_H
#define LOCAL_FORWARDING_H

#include "base/buf.h"
#include "spool/submit.h"

struct forwarding {
	struct strv delivered; /* Delivered-To line, in front of the message */
	struct strv sender;
	struct strv recipients; /* each ended by a NUL */
};

struct forwarding_outcome {
	pid_t pid;                   /* the "qp" number */
	struct submit_result result; /* of qmail-queue */
};

/*
 * Queues the message from the present offset of message_fd to its end, one
 * copy for all recipients.  0: look at out; QE_SYS: no process, errno; QE_EOF:
 * the message cannot be read, errno, nothing was queued.
 */
int forwarding_send(
    const struct forwarding *f, int message_fd, struct forwarding_outcome *out);

#endif
