/* Passwords of mailboxes, on their way to a crypt(3) hash. */
#ifndef HOSTING_PASSWORD_H
#define HOSTING_PASSWORD_H

#include "base/buf.h"

enum {
	PASSWORD_LEAST = 8, /* bytes */
	PASSWORD_MAX = 200, /* what fits into descriptor 3 of a checker */
	PASSWORD_HASH_MAX = 384
};

/*
 * Asks on the terminal, twice, without echo; or, where standard input is none,
 * takes its first line.  Appends the hash of the system's preferred kind
 * (yescrypt).  Ends the program with a sentence if there is none to be had.
 */
void password_ask_hash(const char *address, struct buf *hash);
/* True for what crypt(3) could have made: no colon, no blank, no control. */
bool password_is_hash(struct strv text);

#endif
