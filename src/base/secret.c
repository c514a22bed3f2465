/*
 * What every program that handles passwords needs of them, and libc has.
 * Digests are base/digest.h's, so that the servers link no cryptography.
 */
#include "base/secret.h"
#include "base/error.h"

#include <errno.h>
#include <sys/random.h>

int
secret_random(void *out, size_t n)
{
	ssize_t got;

	/* So few bytes come whole, if at all. */
	if (n > SECRET_RANDOM_MAX)
		return QE_LIMIT;
	do
		got = getrandom(out, n, 0);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)n ? 0 : QE_SYS;
}

bool
secret_equal(const void *a, const void *b, size_t n)
{
	const volatile unsigned char *x = a;
	const volatile unsigned char *y = b;
	unsigned char difference = 0;

	for (size_t i = 0; i < n; i++)
		difference |= (unsigned char)(x[i] ^ y[i]);
	return difference == 0;
}

bool
secret_equal_view(struct strv known, struct strv given)
{
	volatile size_t difference = known.len ^ given.len;

	for (size_t i = 0; i < given.len; i++) {
		unsigned char c = (unsigned char)given.ptr[i];

		/* Beyond its end something is compared as well. */
		if (i < known.len)
			difference |= c ^ (unsigned char)known.ptr[i];
		else
			difference |= c ^ 1U;
	}
	return difference == 0;
}

void
secret_add_hex(struct buf *out, const void *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = bytes;

	for (size_t i = 0; i < n; i++) {
		buf_add_char(out, digits[from[i] >> 4]);
		buf_add_char(out, digits[from[i] & 15]);
	}
}
