/*
 * What this host knows of a client before it speaks: $BLACKLISTED,
 * $RCPTTOFIXED, and a login by POP3 a while ago (control/opensmtp).
 */
#ifndef SMTPD_TRUST_H
#define SMTPD_TRUST_H

#include "smtpd/session.h"

/*
 * Fills in what the environment and the controls say.  0; else a negative
 * code and err tells what is wrong: the session must not begin.
 */
int trust_establish(struct session *s, struct control_error *err);
/* $BLACKLISTED and $RCPTTOFIXED alone; also after a change of them. */
int trust_read_addresses(struct session *s, struct control_error *err);
/* The client has proved who it is: it is no spammer any more. */
void trust_forgive(struct session *s);
/* A known spammer: its mail goes to one address, whatever it says. */
bool trust_is_spammer(const struct session *s);

#endif
