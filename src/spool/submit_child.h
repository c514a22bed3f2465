/*
 * The other half of submit.c: what the child says, how it ends and what that
 * means.  For submit.c alone.
 */
#ifndef SPOOL_SUBMIT_CHILD_H
#define SPOOL_SUBMIT_CHILD_H

#include "spool/submit.h"

/* For poll(2): 0 when the deadline has passed, -1 without one. */
int submit_child_timeout(int64_t deadline_ms);
int64_t submit_child_deadline(int64_t from_now_ms);
/* Takes what the child says now; at its end custom_fd is closed. */
void submit_child_listen(struct submit *s);
/*
 * Waits for the child's end: 0 and its status; QE_TIMEOUT (it was killed);
 * QE_SYS.  custom_fd is closed in any case.
 */
int submit_child_wait(struct submit *s, int64_t deadline_ms, int *status);
/*
 * The steps of stopping a program (submit_stop.c): SIGTERM to it and, if it
 * leads a group, to all in it; a wait for the rest of the group, true if it
 * is gone; SIGKILL to what is left of a program that is not our own
 * qmail-queue.
 */
void submit_stop_term(const struct submit *s);
bool submit_stop_await_group(const struct submit *s, int64_t deadline_ms);
void submit_stop_kill(const struct submit *s);
void submit_child_result(
    const struct submit *s, int waited, int status, struct submit_result *out);

#endif
