/* What qmail-remote reads from control/, once in its life. */
#ifndef REMOTE_CONFIG_H
#define REMOTE_CONFIG_H

#include "conf/control.h"

struct config {
	struct buf helohost, dnsservers;
	struct control_set smtproutes;
	int64_t timeout_connect, timeout_remote; /* seconds */
};

/* From the working directory, the home.  0 or a negative code; free it in
 * both cases.  It starts as CONFIG_INIT. */
#define CONFIG_INIT                                                            \
	{                                                                      \
		.helohost = BUF_INIT                                           \
	}
int config_load(struct config *config);
void config_free(struct config *config);

#endif
