/* control/scanalerts: what qmail-scand reports though it is no virus. */
#ifndef CONF_SCAN_ALERTS_H
#define CONF_SCAN_ALERTS_H

#include <stdbool.h>

struct control_error;

struct scan_alerts {
	bool encrypted, exceeded, macros, broken;
};

/* Without the file all are false.  0; else a negative code, and err. */
int scan_alerts_load(struct scan_alerts *out, struct control_error *err);

#endif
