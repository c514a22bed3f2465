/*
 * One session of qmail-popup, and the two processes that it is: the front
 * talks to the client and has no rights, the keeper has them and hears the
 * front only (pop3/link.h).
 */
#ifndef POP3_POPUP_H
#define POP3_POPUP_H

#include "pop3/conn.h"
#include "smtp/ucspi_tls.h"

enum {
	POPUP_SESSION_MAX = 1200, /* seconds from greeting to login */
	POPUP_FAILURES_MAX = 3,   /* refused logins of a session */
	POPUP_STAMP_MAX = 300,    /* bytes of the greeting's stamp */
	POPUP_OUT_SIZE = 2048,
	POPUP_END = 1 /* the exit code of every end but one */
};

/* From control files; see popup_configure(). */
struct popup_settings {
	int64_t session_seconds; /* of qmail-pop3d */
	int64_t idle_seconds;
	int64_t checker_seconds;
	int64_t delay_seconds; /* before a refusal */
	unsigned clear, tls;   /* mechanisms allowed: enum sasl_bit */
	bool opensmtp;
};

struct popup {
	struct pop3_conn conn;
	struct ucspi_tls tls;
	struct popup_settings settings;
	struct buf user;  /* of USER */
	struct buf stamp; /* "<random.time@host>" */
	const char *host;
	char *const *subprogram;
	unsigned failures;
	pid_t front; /* known to the keeper */
	int jail;    /* an empty directory, if we are root; else -1 */
	int link;    /* this process's end */
};

#define POPUP_JAIL "run/empty" /* root's, and nothing in it */

/* 0, or QE_*: said on descriptor 2, and nothing may be served. */
int popup_configure(struct popup *p);
/*
 * The mechanisms that are allowed now: none before a TLS that is required.
 */
unsigned popup_mechanisms(const struct popup *p);
/* The same, and what else CAPA tells; memory for the names is lent. */
struct pop3_capa popup_capa(const struct popup *p, struct buf *names);
/*
 * The same in $POP3CAPA, for the next program: "us PLAIN CRAM-MD5" stands for
 * USER, STLS and the mechanisms.  0 or QE_NOMEM.
 */
int popup_tell_capa(const struct popup *p);

/* Both processes; they do not return. */
_Noreturn void front_run(struct popup *p);
_Noreturn void keeper_run(struct popup *p);

#endif
