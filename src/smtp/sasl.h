/*
 * SASL, the server's side, for qmail-smtpd and qmail-popup (RFC 4422; RFC
 * 4616, 2195, 2831, 7677).
 *
 * Nothing here knows a password or computes a digest.  A server begins an
 * exchange with the mechanism's name, says the challenges, hands over the
 * responses, and when it is told SASL_CHECK it runs a program that knows
 * passwords, by the checkpassword interface (smtp/sasl_check.h):
 *
 *	m = sasl_find(name, allowed);           NULL: 504, or -ERR
 *	sasl_init(&x, "smtp", host);
 *	result = sasl_begin(&x, m, initial, &challenge);
 *	while (result == SASL_CONTINUE) {
 *		say 334 challenge, or + challenge; read a line;
 *		result = sasl_step(&x, line, &challenge);
 *		if (result == SASL_CHECK)
 *			result = sasl_check(&x, &checker, &challenge);
 *	}
 *	sasl_free(&x);                          wipes all of it
 *
 * SASL_CHECK may be the result of sasl_begin(), too.  A server whose checker
 * becomes the next program together with the connection (POP3) calls
 * sasl_check_start() instead of sasl_check(), and the next program says the
 * last challenge, if there is one: sasl_check_inherited().
 */
#ifndef SMTP_SASL_H
#define SMTP_SASL_H

#include "base/buf.h"

/* The bits of control/auth/smtp, smtps, pop3, spop3. */
enum sasl_bit {
	SASL_LOGIN = 1,
	SASL_PLAIN = 2,
	SASL_CRAM_MD5 = 4,
	SASL_CRAM_SHA1 = 8,
	SASL_CRAM_RIPEMD = 16,
	SASL_DIGEST_MD5 = 32,
	SASL_SCRAM_SHA_256 = 64,
	SASL_ALL = 127
};

enum {
	SASL_LINE_MAX = 4096,        /* bytes of a response, in base64 */
	SASL_CHALLENGE_MAX = 1024,   /* bytes of a challenge, in base64 */
	SASL_USER_MAX = 255,         /* bytes of a login */
	SASL_CREDENTIALS_MAX = 512,  /* bytes on descriptor 3 */
	SASL_FACTS_MAX = 4096,       /* bytes of the private file */
	SASL_ANSWER_MAX = 128,       /* bytes a checker may put into it */
	SASL_HOST_MAX = 255,         /* bytes of the name in challenges */
	SASL_HOST_USUAL = 64,        /* bytes of it that need no malloc(3) */
	SASL_USER_USUAL = 64,        /* the same of a login */
	SASL_SCRAM_ITERATIONS = 4096 /* RFC 7677 section 4 asks for as many */
};

/* What an exchange has come to. */
enum sasl_result {
	SASL_CONTINUE,  /* say the challenge, which may be empty */
	SASL_CHECK,     /* ask the checker */
	SASL_DONE,      /* the client is x->user */
	SASL_CANCELLED, /* "*" */
	SASL_MALFORMED, /* no base64, or not what the mechanism sends */
	SASL_REFUSED,   /* wrong: password, nonce, a name that nobody has */
	SASL_FAILED     /* we could not find out */
};

struct sasl;

struct sasl_mechanism {
	const char *name;    /* "CRAM-MD5" */
	const char *program; /* what $SASL says: "cram-md5" */
	enum sasl_bit bit;
	bool names_host; /* in what it says; others need none */
	/* The challenge to a client that sent no initial response; NULL: the
	 * server begins, and an initial response is an error. */
	const char *prompt;
	/* A response, decoded; a challenge goes to out, not encoded. */
	enum sasl_result (*step)(
	    struct sasl *, struct strv response, struct buf *out);
	/* The last challenge, made of what the checker answered; NULL: none. */
	enum sasl_result (*finish)(
	    struct sasl *, struct strv answer, struct buf *out);
};

/* One exchange. */
struct sasl {
	const struct sasl_mechanism *mechanism;
	const char *program; /* $SASL of the checker */
	const char *service; /* "smtp" or "pop" (RFC 2831) */
	struct buf host;     /* in challenges, and DIGEST-MD5's realm */
	unsigned turn;       /* responses so far */
	bool is_finishing;   /* the last challenge was said */
	struct buf user;     /* descriptor 3: who it says it is, ... */
	struct buf a, b;     /* ... and two strings about that */
	struct buf facts;    /* the private file; then b is its path */
	struct buf kept;     /* between the steps of a mechanism */
	/* Where they begin; a secret never grows out of its place. */
	char host_data[SASL_HOST_USUAL], user_data[SASL_USER_USUAL];
	char a_data[SASL_CREDENTIALS_MAX + 1];
};

/* Mechanisms that this host can serve, whatever is allowed. */
unsigned sasl_available(void);
/* The mechanism of that name if its bit is allowed and available, or NULL. */
const struct sasl_mechanism *sasl_find(struct strv name, unsigned allowed);
/* Adds " LOGIN PLAIN ..." for those allowed; nothing if there are none. */
void sasl_add_names(struct buf *out, unsigned allowed);

/* host is copied; service is lent and lives as long as x. */
void sasl_init(struct sasl *x, const char *service, struct strv host);
/*
 * initial: what stood behind the mechanism's name, in base64; empty: nothing;
 * "=": an empty response (RFC 4954 section 4).  The challenge is emptied and
 * gets its base64 form.  Any result but SASL_DONE and SASL_CANCELLED.
 */
enum sasl_result sasl_begin(struct sasl *x, const struct sasl_mechanism *m,
    struct strv initial, struct buf *challenge);
/* A line of the client, without its end.  Only after SASL_CONTINUE. */
enum sasl_result sasl_step(
    struct sasl *x, struct strv line, struct buf *challenge);
/*
 * The checker has accepted and, where there is a private file, left answer in
 * it: SASL_CONTINUE with the last challenge, to which the client's response
 * is empty; SASL_DONE; SASL_FAILED if the answer is none.  (sasl_check() does
 * this already.)
 */
enum sasl_result sasl_accepted(
    struct sasl *x, struct strv answer, struct buf *challenge);
/* Wipes it. */
void sasl_free(struct sasl *x);

/*
 * Logins without SASL: USER and PASS; APOP, digest over stamp (RFC 1939).
 * SASL_CHECK, or SASL_REFUSED for what no checker can be told.
 */
enum sasl_result sasl_set_clear(
    struct sasl *x, struct strv user, struct strv password);
enum sasl_result sasl_set_apop(
    struct sasl *x, struct strv user, struct strv digest, struct strv stamp);

#endif
