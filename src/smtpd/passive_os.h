/*
 * control/p0fsock: what p0f, which watches the network, believes the client's
 * operating system to be.
 */
#ifndef SMTPD_PASSIVE_OS_H
#define SMTPD_PASSIVE_OS_H

#include "smtpd/session.h"

enum { PASSIVE_OS_MS = 1000 }; /* for p0f to answer */

/*
 * Asks once, when the session begins.  A guess is logged, kept in s->os and
 * put into $P0F_OS; without one the variable is unset.  0, or a negative code
 * if control/p0fsock is wrong, and err says how.
 */
int passive_os_ask(struct session *s, struct control_error *err);
/* "X-P0f: ..." LF, if there is a guess. */
void passive_os_add_field(const struct session *s, struct buf *out);

#endif
