/*
 * SASL mechanisms, the client's side (RFC 4422): which one, and what is said
 * in answer to each challenge.  Nothing here knows of SMTP or of libcrypto:
 * challenges come and answers go without base64, and what needs a digest is
 * asked for through functions.
 */
#ifndef SMTP_SASL_CLIENT_H
#define SMTP_SASL_CLIENT_H

#include "base/buf.h"

#include <stdbool.h>

/* The later the better. */
enum sasl_client_method {
	SASL_CLIENT_NONE,
	SASL_CLIENT_LOGIN,
	SASL_CLIENT_PLAIN,    /* RFC 4616 */
	SASL_CLIENT_CRAM_MD5, /* RFC 2195 */
	SASL_CLIENT_CRAM_SHA1,
	SASL_CLIENT_CRAM_RIPEMD,
	SASL_CLIENT_SCRAM_SHA_256, /* RFC 5802, RFC 7677 */
	SASL_CLIENT_METHODS
};

enum {
	SASL_CLIENT_TEXT_MAX = 8192, /* bytes of a challenge or an answer */
	SASL_CLIENT_NONCE_MAX = 32,
	/* A server that asks for fewer wants the password to be guessed, one
	 * that asks for more wants our time. */
	SASL_CLIENT_ITERATIONS_MIN = 4096,
	SASL_CLIENT_ITERATIONS_MAX = 1000000
};

/* Results: 0 or a negative code. */
struct sasl_client_digests {
	void *state;
	/* HMAC of the challenge with the method's digest, in hexadecimal. */
	int (*cram)(void *state, enum sasl_client_method method,
	    struct strv password, struct strv challenge, struct buf *hex);
	/* ClientProof and ServerSignature of RFC 5802, 32 bytes each. */
	int (*scram)(void *state, struct strv password, struct strv salt,
	    unsigned iterations, struct strv message, struct buf *proof,
	    struct buf *signature);
};

/* In capitals, as it stands in AUTH. */
const char *sasl_client_name(enum sasl_client_method method);
/*
 * The best of those offered (names separated by blanks), or the named one if
 * it is offered.  One that sends the password itself is taken without TLS
 * only if it is named.
 */
enum sasl_client_method sasl_client_choose(
    struct strv offered, struct strv named, bool has_tls);

struct sasl_client {
	enum sasl_client_method method;
	struct strv user, password; /* lent */
	const struct sasl_client_digests *digests;
	unsigned step;
	char nonce[SASL_CLIENT_NONCE_MAX + 1];
	struct buf signature; /* that the server has to show */
	bool done;            /* nothing more is to be said or shown */
};

/*
 * nonce: printable, without a comma, new for each session; only SCRAM uses
 * it.  sasl_client_clear wipes what there is of secrets.
 */
void sasl_client_init(struct sasl_client *c, enum sasl_client_method method,
    struct strv user, struct strv password, const char *nonce,
    const struct sasl_client_digests *digests);
void sasl_client_clear(struct sasl_client *c);
/* What goes along with AUTH: true and it is appended, or there is nothing. */
bool sasl_client_initial(struct sasl_client *c, struct buf *out);
/*
 * Appends the answer to a challenge.  0; QE_SYNTAX (not what the mechanism
 * says), QE_DENIED (the server does not know the password itself), what a
 * digest returns, what out says.
 */
int sasl_client_answer(
    struct sasl_client *c, struct strv challenge, struct buf *out);

#endif
