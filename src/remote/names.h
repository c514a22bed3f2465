/* The names of the real world: the DNS and this host's interfaces. */
#ifndef REMOTE_NAMES_H
#define REMOTE_NAMES_H

#include "remote/route.h"

struct real_names {
	struct strv servers; /* control/dnsservers; lent */
	int64_t timeout_ms;  /* of each question */
	struct dns *dns;     /* opened by the first one */
};

/* Nothing is read or asked before the first question. */
struct names names_real(struct real_names *state);
void names_close(struct real_names *state);

#endif
