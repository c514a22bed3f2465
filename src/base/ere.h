/*
 * Extended regular expressions as regex(7) describes them: checked, and
 * translated into what PCRE2 takes for the same thing.
 *
 * The syntax is decided here, so that a list of thousands is checked without
 * compiling any of them.  Beyond regex(7): \d \w \s and their capitals are
 * classes, \b and \B word boundaries, as in most implementations.  Not there:
 * back references, and what begins with "(?".
 *
 * Expressions are without regard to case: the translation is one for subjects
 * whose ASCII letters are lower case, which is cheaper than to compare both.
 */
#ifndef BASE_ERE_H
#define BASE_ERE_H

#include "base/buf.h"

#include <stdbool.h>

enum {
	ERE_BYTES_MAX = 1000, /* of one expression */
	ERE_DEPTH_MAX = 50,   /* of parentheses */
	ERE_REPEAT_MAX = 255, /* in a bound */
	ERE_LARGE = 10000     /* bytes, its bounds multiplied */
};

struct ere {
	struct buf pcre; /* the translation */
	/* Lower-case strings, each ended by NUL, that occur in whatever the
	 * expression matches; none if nothing is sure. */
	struct buf literals;
	/* Its bounds make it so long that PCRE2 may refuse it. */
	bool may_be_large;
};

/*
 * 0; QE_SYNTAX, and *why says what is wrong; QE_NOMEM.  What ere held before
 * is replaced; a zeroed struct is a good start.
 */
int ere_translate(struct strv text, struct ere *ere, const char **why);
void ere_free(struct ere *ere);

#endif
