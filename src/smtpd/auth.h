/*
 * AUTH (RFC 4954): who the client has proved to be.
 *
 * Offered only where a checker stands on the command line; without one a
 * session holds a null pointer, and reads none of control/auth.
 */
#ifndef SMTPD_AUTH_H
#define SMTPD_AUTH_H

#include "smtp/sasl.h"
#include "smtpd/session.h"

enum {
	AUTH_FAILURES_MAX = 3,    /* then the session ends */
	AUTH_LINE_RESERVE = 1024, /* bytes of a command that holds a secret */
	AUTH_USER = 64            /* bytes of a login that need no malloc(3) */
};

struct auth {
	char *const *checker;               /* program and arguments */
	int64_t allowed_clear, allowed_tls; /* enum sasl_bit masks */
	int64_t delay;   /* seconds before the answer to a failure */
	int64_t seconds; /* for the checker */
	bool shows_old;  /* AUTH=LOGIN in the answer to EHLO */
	unsigned failures;
	struct buf line;                        /* a response of the client */
	struct buf user;                        /* empty until a success */
	const struct sasl_mechanism *mechanism; /* NULL until then */
	/* What the session could do before. */
	bool relays_anyway;
	bool forgiven_anyway;
	char user_data[AUTH_USER]; /* where user begins */
};

/* Puts a into s and reads its controls; no checker, no auth.  0; else a
 * negative code, and err tells what is wrong. */
int auth_open(struct session *s, struct auth *a, char *const *checker,
    struct control_error *err);
void auth_free(struct session *s);

/* What the present state of the connection allows; 0: nothing. */
unsigned auth_allowed(const struct session *s);
bool auth_is_done(const struct session *s);
/* The login, or the empty view. */
struct strv auth_user(const struct session *s);
/* "CRAM-MD5", or the empty view. */
struct strv auth_method(const struct session *s);

/* The client is x->user: it may relay, and is no spammer. */
int auth_succeed(struct session *s, const struct sasl *x);
/* TLS was started: nothing that was said in clear counts. */
void auth_forget(struct session *s);

/* For the table of extensions: what follows the keyword. */
bool auth_describe(const struct session *s, struct buf *line);
bool auth_describe_old(const struct session *s, struct buf *line);

#endif
