/* Secrets: random bytes, comparing without telling where, and hex digits. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum { SECRET_RANDOM_MAX = 256 }; /* bytes of one call */

/* Bytes of the kernel's generator: 0; QE_SYS; QE_LIMIT if n is too large. */
int secret_random(void *out, size_t n);
/* Takes the same time wherever the two differ. */
bool secret_equal(const void *a, const void *b, size_t n);
/* Takes time by the length of what was given alone, whatever is known. */
bool secret_equal_view(struct strv known, struct strv given);
/* Appends 2 * n lower-case hexadecimal digits. */
void secret_add_hex(struct buf *out, const void *bytes, size_t n);

#endif
