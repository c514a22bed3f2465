/* One message to one host: exchangers in turn until one of them decides. */
#ifndef REMOTE_DISPATCH_H
#define REMOTE_DISPATCH_H

#include "remote/config.h"
#include "remote/session.h"

enum {
	DISPATCH_TARGETS_MAX = 20,  /* addresses that are connected to */
	DISPATCH_SECONDS_MAX = 3600 /* after these no other is tried */
};

struct dispatch {
	const struct config *config;
	const struct names *names;
	const struct peer_settings *settings;
	struct session *session; /* used if it fits; left as it ends */
	struct message *message;
	struct report *report;
	struct strv host, sender;
};

/* Afterwards the report has a record for the message. */
void dispatch_run(struct dispatch *dispatch);

#endif
