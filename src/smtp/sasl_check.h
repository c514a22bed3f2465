/*
 * Asking a checker: a program of the checkpassword interface
 * (checkpassword(8)), which alone knows passwords.
 *
 * It gets "user\0a\0b\0" on descriptor 3, the mechanism in $SASL, and for
 * DIGEST-MD5 and SCRAM-SHA-256 a private file that is open on descriptor 4
 * and whose path is b.  Exit codes: 0 accepted, 1 refused, 2 misused, 111 and
 * everything else no answer.
 */
#ifndef SMTP_SASL_CHECK_H
#define SMTP_SASL_CHECK_H

#include "smtp/sasl.h"

#include <stdint.h>
#include <sys/types.h>

enum {
	SASL_CREDENTIALS_FD = 3,
	SASL_FACTS_FD = 4,
	SASL_KILL_MS = 1000 /* for a killed checker to be gone */
};

struct sasl_checker {
	/* [0] is searched in $PATH, or "unix:path", the socket of a resident
	 * checker (smtp/sasl_ask.h; not with passes_on); lent */
	char *const *argv;
	int fds[3]; /* descriptors 0-2 of it, or SPAWN_FD_NULL */
	/* The checker becomes the next program, which takes the connection
	 * over and calls sasl_check_inherited(). */
	bool passes_on;
	int64_t deadline_ms; /* of clock_mono_ms(); IO_FOREVER: none */
	/* Out: what went wrong with the checker, for the log; else NULL. */
	const char *trouble;
};

/* A checker that runs. */
struct sasl_check {
	pid_t pid;
	int facts_fd; /* -1: none */
	volatile int start_error;
};

/* Starts the checker for what x holds: 0, QE_SYS, QE_NOMEM. */
int sasl_check_start(
    const struct sasl *x, const struct sasl_checker *how, struct sasl_check *c);
/*
 * Waits for it; one that has not ended at the deadline is killed.  SASL_DONE,
 * SASL_REFUSED (exit code 1) or SASL_FAILED.  *code, if not NULL: the exit
 * code, -1 for a crash, a kill, or a program that could not be started.
 */
enum sasl_result sasl_check_wait(
    struct sasl_checker *how, struct sasl_check *c, int *code);
/* Closes what it holds. */
void sasl_check_end(struct sasl_check *c);

/*
 * All at once: starts, waits, takes what the checker left in the private
 * file.  SASL_DONE, SASL_CONTINUE (with the last challenge), SASL_REFUSED,
 * SASL_FAILED.
 */
enum sasl_result sasl_check(
    struct sasl *x, struct sasl_checker *how, struct buf *challenge);

/*
 * For the next program behind a checker with passes_on: what is still to be
 * said, found by $SASL and $SASLFACTS, which are taken out of the
 * environment, and closes descriptor 4.  SASL_CONTINUE: say the challenge,
 * and the client's response has to be empty; SASL_DONE: nothing is left to
 * say; SASL_FAILED.
 */
enum sasl_result sasl_check_inherited(struct buf *challenge);

#endif
