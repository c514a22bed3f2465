/* Growable bytes with a ceiling and a sticky error; see the header. */
#include "base/buf.h"
#include "base/die.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST = 64 }; /* bytes of the first allocation */

static size_t
buf_limit(const struct buf *b)
{
	return b->max == 0 ? BUF_MAX_DEFAULT : b->max;
}

/*
 * To cap bytes.  What moves out of an array leaves nothing there: it may be a
 * secret, whose owner wipes only where it is.
 */
static char *
enlarge(const struct buf *b, size_t cap)
{
	char *data;

	if (!b->lent)
		return realloc(b->data, cap);
	data = malloc(cap);
	if (data == NULL)
		return NULL;
	memcpy(data, b->data, b->len);
	explicit_bzero(b->data, b->cap);
	return data;
}

/* Room for n more bytes and, uncounted, one NUL for buf_cstr. */
static bool
buf_grow(struct buf *b, size_t n)
{
	size_t need;
	size_t cap = b->cap == 0 ? BUF_FIRST : b->cap;
	char *data;

	if (b->err != 0)
		return false;
	if (__builtin_add_overflow(b->len, n, &need) || need > buf_limit(b)) {
		b->err = QE_LIMIT;
		return false;
	}
	need++;
	if (need <= b->cap)
		return true;
	while (cap < need)
		if (__builtin_mul_overflow(cap, (size_t)2, &cap))
			cap = need;
	data = enlarge(b, cap);
	if (data == NULL) {
		b->err = QE_NOMEM;
		return false;
	}
	b->data = data;
	b->cap = cap;
	b->lent = false;
	return true;
}

void
buf_add(struct buf *b, const char *src, size_t n)
{
	if (n == 0 || !buf_grow(b, n))
		return;
	memcpy(b->data + b->len, src, n);
	b->len += n;
}

void
buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_add_str(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void
buf_add_view(struct buf *b, struct strv v)
{
	buf_add(b, v.ptr, v.len);
}

void
buf_add_u64(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void
buf_add_lower(struct buf *b, struct strv v)
{
	char *to = buf_reserve(b, v.len);

	if (to == NULL)
		return;
	for (size_t i = 0; i < v.len; i++)
		to[i] = ascii_lower(v.ptr[i]);
	b->len += v.len;
}

void
buf_addf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	int n;
	char *to;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		b->err = b->err != 0 ? b->err : QE_SYNTAX;
	to = n <= 0 ? NULL : buf_reserve(b, (size_t)n);
	if (to != NULL) {
		vsnprintf(to, (size_t)n + 1, format, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

char *
buf_reserve(struct buf *b, size_t n)
{
	return buf_grow(b, n) ? b->data + b->len : NULL;
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->err = 0;
}

void
buf_truncate(struct buf *b, size_t len)
{
	if (len > b->len)
		bug("buf_truncate beyond the end");
	b->len = len;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n > b->len)
		bug("buf_consume beyond the end");
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

void
buf_free(struct buf *b)
{
	if (!b->lent)
		free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
	b->err = 0;
	b->lent = false;
}

void
buf_free_secret(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_free(b);
}

struct strv
buf_view(const struct buf *b)
{
	if (b->data == NULL)
		return STRV_EMPTY;
	return strv_from(b->data, b->len);
}

const char *
buf_cstr(struct buf *b)
{
	if (!buf_grow(b, 0))
		return NULL;
	b->data[b->len] = '\0';
	return b->data;
}
