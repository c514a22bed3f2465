/*
 * A connection to one destination that outlives its messages: open it, send
 * one transaction after the other, close it.
 */
#ifndef REMOTE_SESSION_H
#define REMOTE_SESSION_H

#include "remote/message.h"
#include "remote/peer.h"
#include "remote/report.h"
#include "remote/security.h"
#include "remote/transfer.h"

enum {
	SESSION_KEY_MAX = 4096,
	SESSION_MESSAGES_MAX = 1000 /* then it is closed and opened anew */
};

struct session {
	bool is_open;
	enum plan_protocol protocol;
	struct peer peer;
	struct buf key; /* where it leads to, and as whom */
	struct buf exchanger;
	unsigned messages;
};

/* What a session is to be; all lent for the call. */
struct session_wish {
	const struct peer_settings *settings;
	const struct plan *plan;
	const struct target *target;
	const struct security_want *want;
	struct strv key; /* see session_fits */
};

void session_init(struct session *s);
/*
 * Connects to the target and goes as far as MAIL can follow: greeting, TLS,
 * AUTH.  0 and the session is open; QE_TIMEOUT, QE_SYS (errno) if the
 * connection never stood; QE_EOF if it went no further, and the report tells
 * why.  A target that is skipped (see spool/tcpto.h) is QE_TIMEOUT, too.
 */
int session_open(
    struct session *s, const struct session_wish *wish, struct report *report);
/* An open session to this very destination that can take a message. */
bool session_fits(const struct session *s, struct strv key);
/*
 * One transaction, with a RSET before it if the last one was left in the
 * middle.  Fills in the report.  Afterwards the session may be of no further
 * use: session_is_usable tells.
 */
enum verdict session_send(struct session *s, struct message *message,
    struct strv sender, struct report *report);
bool session_is_usable(const struct session *s);
/* The name of the host that it leads to, or nothing. */
struct strv session_exchanger(const struct session *s);
/* Says QUIT if there is anybody to hear it; nothing waits for an answer.  Any
 * number of times. */
void session_close(struct session *s);

#endif
