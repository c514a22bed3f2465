/*
 * How a client proves that it knows a password, for checkers that know the
 * password itself: what descriptor 3, $SASL and the private file hold, and
 * the comparison (checkpassword(8)).
 *
 * proof.c knows all mechanisms and links libcrypto; proof_clear.c knows clear
 * passwords alone, and names the program that knows the rest.
 */
#ifndef AUTH_PROOF_H
#define AUTH_PROOF_H

#include "auth/credentials.h"
#include "base/buf.h"

#include <stdbool.h>

enum {
	PROOF_FACTS_MAX = 4096,
	PROOF_ANSWER_MAX = 64,
	PROOF_ITERATIONS_MAX = 1000000
};

struct proof {
	const char *sasl; /* the mechanism, "plain" if nothing says */
	const struct credentials *given;
	int facts_fd;     /* the private file; -1: none */
	struct buf facts; /* what it holds */
};

/*
 * The program to run instead, for mechanisms that are not known here; NULL if
 * the present one is.
 */
const char *proof_elsewhere(const char *sasl);

/*
 * given is lent.  Takes hold of the private file, but does not read it: 0;
 * QE_ABSENT (no such mechanism); QE_DENIED (a file that a setuid program must
 * not open); QE_SYNTAX (no file named where there has to be one); QE_SYS.
 */
int proof_open(
    struct proof *p, const char *sasl, const struct credentials *given);
/*
 * Without a file: the facts, copied, are what it would hold.  0; QE_ABSENT (no
 * such mechanism); QE_LIMIT, QE_NOMEM.
 */
int proof_open_facts(struct proof *p, const char *sasl,
    const struct credentials *given, struct strv facts);
/* Reads the private file: 0; QE_SYNTAX, QE_LIMIT, QE_SYS, QE_NOMEM. */
int proof_read(struct proof *p);
/*
 * Is this the password?  Does the same work whatever the outcome.  0 with
 * *match and, for some mechanisms, what to leave in the private file in
 * answer; QE_SYNTAX (the facts make no sense), QE_ABSENT, QE_TEMP, QE_NOMEM.
 */
int proof_check(const struct proof *p, struct strv password, bool *match,
    struct buf *answer);
/* Puts the answer, if there is one, into the private file: 0, QE_SYS. */
int proof_leave(struct proof *p, const struct buf *answer);
void proof_close(struct proof *p);

/* Between the two files and proof_file.c. */
bool proof_is_clear(const char *sasl);
int proof_open_file(struct proof *p);
/* The line "name=value" of the facts: its value, or false. */
bool proof_fact(const struct proof *p, const char *name, struct strv *value);

#endif
