/*
 * Growable bytes with a ceiling and a sticky error.
 *
 * Callers append freely and test b->err once at the end: after the first
 * failure (QE_NOMEM, QE_LIMIT) nothing more is added, so a value that was cut
 * can be told from a whole one.  A zero max means BUF_MAX_DEFAULT.
 *
 * A buffer may begin in an array of its owner (BUF_IN): what is usually short
 * then costs no call of malloc(3), and in a program that lives for one
 * session no system call and no page.  It moves to the heap when it outgrows
 * the array, which must live as long as the buffer; such a buffer is never
 * copied to another struct buf.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/strv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUF_MAX_DEFAULT = 1 << 20 }; /* bytes */

struct buf {
	char *data; /* owned, unless lent; NULL while cap is 0 */
	size_t len, cap, max;
	int err;
	bool lent; /* data is an array of the owner */
};

#define BUF_INIT                                                               \
	{                                                                      \
		.max = 0                                                       \
	}
#define BUF_LIMIT(n)                                                           \
	{                                                                      \
		.max = (n)                                                     \
	}
/* Holds up to n bytes, of which the first are in array. */
#define BUF_IN(array, n)                                                       \
	{                                                                      \
		.data = (array), .cap = sizeof(array), .max = (n),             \
		.lent = true                                                   \
	}

void buf_add(struct buf *b, const char *src, size_t n);
void buf_add_char(struct buf *b, char c);
void buf_add_str(struct buf *b, const char *text); /* up to its NUL */
void buf_add_view(struct buf *b, struct strv v);
void buf_add_u64(struct buf *b, uint64_t n);
void buf_add_lower(struct buf *b, struct strv v); /* ASCII lower case */
void buf_addf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes room for n more bytes and returns where they go, or NULL. */
char *buf_reserve(struct buf *b, size_t n);
/* Empties the buffer and its error; the memory stays. */
void buf_reset(struct buf *b);
/* Shortens to len bytes; a larger len is a bug. */
void buf_truncate(struct buf *b, size_t len);
/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);
/* Gives the memory back and leaves an empty, usable buffer without array. */
void buf_free(struct buf *b);
/* As buf_free, after wiping every byte. */
void buf_free_secret(struct buf *b);

struct strv buf_view(const struct buf *b);
/*
 * The content as a C string: a NUL behind the content, not counted in len.
 * NULL if the buffer has an error.  Valid until the next change.
 */
const char *buf_cstr(struct buf *b);

#endif
