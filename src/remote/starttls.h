/* TLS for a session: STARTTLS (RFC 3207), or from the first byte. */
#ifndef REMOTE_STARTTLS_H
#define REMOTE_STARTTLS_H

#include "remote/peer.h"
#include "remote/report.h"
#include "remote/security.h"

/*
 * After EHLO.  0: as it was wanted, which may be in clear text; QE_TEMP: it
 * does not work, connect anew and go without (only for TLS_LEVEL_MAY, and
 * noted in spool/notls.h, so that the next call does not try again); QE_EOF:
 * it does not do, the report tells why.
 */
int starttls_run(
    struct peer *s, const struct security_want *want, struct report *report);
/* Before the greeting, on a port for that; never goes without.  0, QE_EOF. */
int starttls_at_once(
    struct peer *s, const struct security_want *want, struct report *report);

#endif
