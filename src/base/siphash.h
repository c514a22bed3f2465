/*
 * SipHash-2-4 with 128 bits of output: a hash with a key.  Who does not know
 * the key can neither find two inputs of one hash nor aim at a given one.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/strv.h"

enum { SIPHASH_KEY = 16, SIPHASH_SIZE = 16 };

struct siphash {
	uint64_t v[4];
	unsigned char tail[8]; /* bytes that do not make a word yet */
	uint64_t len;          /* fed so far */
};

void siphash_init(struct siphash *h, const unsigned char key[SIPHASH_KEY]);
void siphash_feed(struct siphash *h, struct strv bytes);
/* Nothing is fed behind this. */
void siphash_end(struct siphash *h, unsigned char out[SIPHASH_SIZE]);

#endif
