/*
 * Messages whose client may not have heard that they are queued
 * (control/hangupmemory).
 *
 * A client that hangs up while qmail-queue commits sends the message again.
 * Its fingerprint is kept from the commit until the client's next command;
 * a message with a fingerprint that is known is not queued again.
 */
#ifndef SMTPD_FINGERPRINT_H
#define SMTPD_FINGERPRINT_H

#include "smtpd/session.h"
#include "smtpd/tap.h"

enum { FINGERPRINT_BUCKETS = 512 }; /* of 8: 4096 messages, 128 KiB */

#define FINGERPRINT_TABLE "cache/hangup/messages"

/* Looks at envelope, Message-ID and body of each message. */
extern const struct tap fingerprint_tap;

/* True if the message under way is queued already, as *qp. */
bool fingerprint_is_known(struct session *s, int64_t *qp);
/* It is queued, as qp, and the client is about to be told. */
void fingerprint_keep(struct session *s, int64_t qp);
/* The client has sent another command: it has heard the last reply. */
void fingerprint_heard(struct session *s);

void fingerprint_free(struct fingerprint **fingerprint);

#endif
