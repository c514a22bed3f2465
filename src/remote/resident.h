/*
 * qmail-remote that stays alive behind qmail-rspawn and serves one message
 * after the other (spool/remote_link.h).
 */
#ifndef REMOTE_RESIDENT_H
#define REMOTE_RESIDENT_H

#include <stdbool.h>

/* True if descriptor 0 is the socket of a qmail-rspawn. */
bool resident_is_wanted(void);
/* Until qmail-rspawn has no more work.  An exit code. */
int resident_serve(void);

#endif
