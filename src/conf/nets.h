/* Control files that list IP addresses and nets, one a line. */
#ifndef CONF_NETS_H
#define CONF_NETS_H

#include "base/cidr.h"
#include "conf/control.h"

struct nets {
	struct cidr *items; /* owned */
	size_t count;
};

/*
 * 0, also without the file; else a negative code, err names file and line,
 * and *out is as it was.
 */
int nets_load(enum ctl id, struct nets *out, struct control_error *err);
bool nets_have(const struct nets *nets, const struct ipaddr *ip);
void nets_free(struct nets *nets);

#endif
