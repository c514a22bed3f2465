/*
 * What qmail-remote does with a message, apart from how it gets it: what is
 * here outlives messages, so that a process may serve many of them.
 */
#ifndef REMOTE_REMOTE_H
#define REMOTE_REMOTE_H

#include "remote/config.h"
#include "remote/names.h"
#include "remote/report.h"
#include "remote/session.h"

struct remote {
	struct config config;
	struct real_names real;
	struct names names;
	struct peer_settings settings;
	struct session session; /* open between messages, or not */
};

/*
 * Enters the home and reads the control files.  0, or a negative code and the
 * report tells; remote_free is due in both cases.
 */
int remote_init(struct remote *remote, struct report *report);
/* Closes the session, too. */
void remote_free(struct remote *remote);

struct errand {
	struct strv host, sender;
	int fd;    /* the message; read from its present offset, not closed */
	bool keep; /* leave the session open for the next message */
};

/*
 * One message to the recipients of the report, over the open session if it
 * leads to the right place, else over a new one.  Afterwards the report has a
 * record for the message.
 */
void remote_deliver(
    struct remote *remote, const struct errand *errand, struct report *report);

#endif
