/* What all checkers do alike (checkpassword(8)).  These end the program. */
#ifndef AUTH_RUN_H
#define AUTH_RUN_H

#include "auth/credentials.h"

enum {
	CHECK_REFUSED = 1,
	CHECK_MISUSE = 2,
	CHECK_SECONDS_MAX = 120 /* of a checker, whoever forgets it */
};

/* A checker that hangs ends by itself; run_next() lifts this. */
void run_guard(void);
/* Descriptor 3, or the end with 2 or 111. */
void run_read_credentials(struct credentials *given);
/*
 * Enters home, sets USER, HOME and SHELL, and becomes the next program.  The
 * word "true" alone means that nothing is to be run: exit code 0.
 */
_Noreturn void run_next(
    const char *user, const char *home, const char *shell, char *const *argv);

#endif
