/*
 * What a server hands to a checkpassword program on descriptor 3:
 * "login\0a\0b\0", at most 512 bytes, possibly more fields behind.
 */
#ifndef AUTH_CREDENTIALS_H
#define AUTH_CREDENTIALS_H

#include "base/strv.h"

enum { CREDENTIALS_FD = 3, CREDENTIALS_MAX = 512 };

struct credentials {
	char bytes[CREDENTIALS_MAX + 1]; /* the strings below live here */
	size_t len;
	const char *login; /* each ended by NUL */
	const char *a;     /* password, digest or challenge */
	const char *b;     /* timestamp or response; may be empty */
};

/*
 * Reads fd to its end and closes it.  0; QE_SYNTAX (not three fields, or an
 * empty login); QE_LIMIT (more than 512 bytes); QE_SYS.  On failure out holds
 * nothing.
 */
int credentials_read(int fd, struct credentials *out);
/* The same from bytes in memory, which are copied. */
int credentials_take(struct strv bytes, struct credentials *out);
void credentials_wipe(struct credentials *c);

#endif
