/* What qmail-remote reads from control/, once in its life. */
#ifndef REMOTE_CONFIG_H
#define REMOTE_CONFIG_H

#include "conf/control.h"

struct config {
	struct buf helohost, dnsservers;
	struct control_set smtprelays, smtproutes, qmtproutes;
	struct control_set outgoingip;
	struct control_set tlsremote;
	int64_t mtasts;                          /* 0 or 1 */
	int64_t log_fd;                          /* 0: no log */
	int64_t timeout_connect, timeout_remote; /* seconds */
};

/*
 * From the working directory, the home; the config is empty (all zero) before.
 * 0, or a negative code and err tells.  config_free is due in both cases.
 */
int config_load(struct config *config, struct control_error *err);
void config_free(struct config *config);

#endif
