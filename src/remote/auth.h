/* AUTH (RFC 4954) as a client, with a line of control/smtprelays. */
#ifndef REMOTE_AUTH_H
#define REMOTE_AUTH_H

#include "remote/peer.h"
#include "remote/plan.h"
#include "remote/report.h"

/* After EHLO and TLS.  0, or QE_EOF and the report tells. */
int auth_run(struct peer *s, const struct plan *plan, struct report *report);

#endif
