/*
 * What a setuid program may not take over from its caller: descriptors,
 * signals, limits.
 */
#ifndef QUEUE_GUARD_H
#define QUEUE_GUARD_H

#include "base/exitcode.h"

#include <stdbool.h>

/*
 * Closes everything above 2 and makes sure that no file opened later gets one
 * of the first three descriptors.  QQ_OK, or QQ_READ if 0 or 1 is not open.
 */
enum queue_exit guard_descriptors(void);
/* Signals that end us do so with exit code 81, the timer with 52. */
void guard_signals(void);
/* Starts the timer; files may grow as far as the caller's hard limit. */
void guard_limits(void);
/* From now on TERM waits until we ask for it: we are about to commit. */
void guard_hold_term(void);
/* TERM has come: the caller has told its client that nothing was queued. */
bool guard_is_unwanted(void);

#endif
