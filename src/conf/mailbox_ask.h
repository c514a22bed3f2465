/*
 * Asking qmail-realrcpt whether there is a mailbox, for programs that may not
 * look themselves.  One question a connection: the local part goes there, one
 * byte comes back.
 */
#ifndef CONF_MAILBOX_ASK_H
#define CONF_MAILBOX_ASK_H

#include "base/strv.h"

#include <stdint.h>

/* Below the home, which is the working directory of both. */
#define MAILBOX_DIRECTORY "run"
#define MAILBOX_SOCKET    "run/realrcpt"

enum { MAILBOX_LOCAL_MAX = 1024 }; /* bytes of a question */

enum mailbox_answer {
	MAILBOX_YES = 'y',     /* a delivery would have instructions */
	MAILBOX_NO = 'n',      /* it would bounce for want of a mailbox */
	MAILBOX_DEFERRED = 't' /* it would be deferred, or nobody knows */
};

/*
 * local: as qmail-lspawn sees it, in a recipient that is already rewritten.
 * 0 (yes); QE_ABSENT (no); QE_TEMP (deferred); QE_LIMIT (too long to ask);
 * QE_SYS (errno: nobody has answered within the time).
 */
int mailbox_ask(struct strv local, int64_t timeout_ms);

#endif
