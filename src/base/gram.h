/*
 * Groups of up to three letters, by which most expressions of a list are ruled
 * out for a subject without looking at either.
 *
 * An expression carries the hashes of a few groups that whatever it matches
 * must contain; all groups of a subject make one set of bits.  A hash that is
 * missing in the set rules the expression out; one that is there proves
 * nothing.
 */
#ifndef BASE_GRAM_H
#define BASE_GRAM_H

#include "base/strv.h"

#include <stdint.h>

enum {
	GRAM_BITS = 13,            /* of a hash */
	GRAM_SET = 1 << GRAM_BITS, /* bits of a subject's set */
	GRAMS_MAX = 12             /* groups that an expression keeps */
};

struct grams {
	uint16_t hashes[GRAMS_MAX];
	unsigned char count;
};

struct gram_set {
	uint64_t words[GRAM_SET / 64];
};

/* literals: lower-case strings, each ended by NUL; none need nothing. */
void grams_keep(struct grams *grams, struct strv literals);
/* The subject is in lower case. */
void gram_set_fill(struct gram_set *set, struct strv subject);
bool gram_set_has(const struct gram_set *set, const struct grams *grams);

#endif
