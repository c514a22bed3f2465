/* One message to one host: exchangers in turn until one of them decides. */
#ifndef REMOTE_DELIVERY_H
#define REMOTE_DELIVERY_H

#include "remote/message.h"
#include "remote/report.h"
#include "remote/session.h"

enum {
	DELIVERY_TARGETS_MAX = 20,   /* addresses that are connected to */
	DELIVERY_SECONDS_MAX = 3600, /* after these no other is tried */
};

struct delivery {
	const struct control_set *smtproutes;
	const struct names *names;
	const struct session_settings *settings;
	struct message *message;
	struct report *report;
	struct strv host, sender;
};

/* Afterwards the report has a record for the message. */
void delivery_run(struct delivery *delivery);

#endif
