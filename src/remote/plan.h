/*
 * The first half of routing: which host mail is handed to, by which protocol,
 * as whom and from which address.  Asks nobody; the name service comes after.
 */
#ifndef REMOTE_PLAN_H
#define REMOTE_PLAN_H

#include "base/net.h"
#include "remote/config.h"

enum {
	PLAN_SMTP_PORT = 25,
	PLAN_SMTPS_PORT = 465, /* TLS from the first byte, RFC 8314 */
	PLAN_QMTP_PORT = 209
};

enum plan_protocol { PLAN_SMTP, PLAN_QMTP };

struct plan {
	enum plan_protocol protocol;
	struct strv name; /* the host itself, or a relay; lent */
	uint16_t port;
	bool relayed; /* a relay: its addresses, not its exchangers */
	/* From smtprelays; lent.  An empty user: none. */
	struct strv user, password;
	struct strv method; /* empty: the best that the server offers */
	/* Own addresses to connect from; family 0: whatever the kernel picks */
	struct ipaddr from4, from6;
};

/*
 * Reads smtprelays, smtproutes and qmtproutes in this order, and outgoingip.
 * 0; QE_SYNTAX: err tells of the line that makes no sense; QE_NOMEM.
 */
int plan_make(const struct config *config, struct strv host, struct strv sender,
    struct strv recipient, struct plan *out, struct control_error *err);
/* True if one of the files has this very address for a key. */
bool plan_is_for_recipient(const struct config *config, struct strv recipient);
/* Whatever makes two plans need different sessions, as a text. */
void plan_add_key(const struct plan *plan, struct buf *out);
/* 0 or QE_SYNTAX; smtprelays takes no other name. */
int plan_check_method(struct strv method);

#endif
