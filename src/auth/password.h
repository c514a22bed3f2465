/* Comparing a password with a crypt(3) hash. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include <stdbool.h>

/*
 * True if they match.  An empty hash never does, and takes as long as one of
 * the system's preferred kind.  False with errno ENOMEM, which is 0 else: that
 * could not be found out, as some kinds of hashes take megabytes of memory.
 */
bool password_matches(const char *password, const char *hash);

#endif
