/* Asking a person for a secret. */
#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include <stddef.h>

/*
 * A line of descriptor 0, without its end and not ended by NUL, at most max
 * bytes.  If that is a terminal, prompt is said on descriptor 2 and nothing is
 * shown of what is typed, but is again afterwards, whatever that was; the keys
 * that end programs end the question.
 *
 * 0; QE_LIMIT (longer); QE_EOF (such a key); QE_SYS.
 */
int terminal_read_secret(
    const char *prompt, char *line, size_t max, size_t *len);

#endif
