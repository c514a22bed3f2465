/* Delays for clients that ask for too much. */
#ifndef SMTPD_TARPIT_H
#define SMTPD_TARPIT_H

#include "smtpd/session.h"

/*
 * Sends what is due and sleeps, unless this client is not to be delayed.  A
 * client that hangs up ends the delay and the session.
 */
void tarpit_delay(struct session *s, enum tarpit_cause cause);

/* True if recipient number count of a transaction is answered late. */
bool tarpit_counts(const struct tarpit_settings *tarpit, size_t count);

#endif
