/*
 * Digests and what is made of them, through libcrypto: only programs that use
 * these functions link it.
 *
 * RIPEMD-160 is in the default provider of some builds, in the legacy one of
 * others and in none of the rest: then digest_is_available() says so.
 * Intermediate values are wiped.  Results: 0, QE_ABSENT (no such digest
 * here), QE_LIMIT (too long), QE_TEMP (libcrypto failed, for want of memory
 * most likely).
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/strv.h"

#include <stdbool.h>
#include <stddef.h>

enum digest {
	DIGEST_MD5,
	DIGEST_SHA1,
	DIGEST_RIPEMD160,
	DIGEST_SHA256,
	DIGEST_COUNT
};

enum { DIGEST_SIZE_MAX = 32 }; /* bytes of the longest */

bool digest_is_available(enum digest d);
size_t digest_size(enum digest d); /* bytes */

/* Of all parts, one behind the other; out holds digest_size() bytes. */
int digest_make(
    enum digest d, const struct strv *parts, size_t count, unsigned char *out);
/* RFC 2104 */
int digest_hmac(
    enum digest d, struct strv key, struct strv message, unsigned char *out);
/* PBKDF2 (RFC 8018) with HMAC, as much as one digest has. */
int digest_pbkdf2(enum digest d, struct strv password, struct strv salt,
    unsigned iterations, unsigned char *out);

#endif
