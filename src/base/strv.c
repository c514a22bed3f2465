/* String views and the one decimal parser; see the header. */
#include "base/strv.h"
#include "base/error.h"

#include <limits.h>
#include <string.h>

struct strv
strv_of(const char *text)
{
	if (text == NULL)
		return STRV_EMPTY;
	return (struct strv){ text, strlen(text) };
}

struct strv
strv_from(const char *ptr, size_t len)
{
	return (struct strv){ ptr, len };
}

int
strv_fmt_len(struct strv v)
{
	return v.len > INT_MAX ? INT_MAX : (int)v.len;
}

char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
ascii_is_alpha(char c)
{
	c = ascii_lower(c);
	return c >= 'a' && c <= 'z';
}

bool
strv_eq(struct strv a, struct strv b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
strv_eq_nocase(struct strv a, struct strv b)
{
	return a.len == b.len && strv_starts_nocase(a, b);
}

bool
strv_starts(struct strv v, struct strv prefix)
{
	return v.len >= prefix.len && strv_eq(strv_head(v, prefix.len), prefix);
}

bool
strv_starts_nocase(struct strv v, struct strv prefix)
{
	if (v.len < prefix.len)
		return false;
	for (size_t i = 0; i < prefix.len; i++)
		if (ascii_lower(v.ptr[i]) != ascii_lower(prefix.ptr[i]))
			return false;
	return true;
}

bool
strv_ends_nocase(struct strv v, struct strv suffix)
{
	return v.len >= suffix.len &&
	       strv_eq_nocase(strv_skip(v, v.len - suffix.len), suffix);
}

size_t
strv_find(struct strv v, char c)
{
	const char *at = v.len == 0 ? NULL : memchr(v.ptr, c, v.len);

	return at == NULL ? STRV_NPOS : (size_t)(at - v.ptr);
}

size_t
strv_rfind(struct strv v, char c)
{
	const char *at = v.len == 0 ? NULL : memrchr(v.ptr, c, v.len);

	return at == NULL ? STRV_NPOS : (size_t)(at - v.ptr);
}

struct strv
strv_head(struct strv v, size_t n)
{
	return (struct strv){ v.ptr, n < v.len ? n : v.len };
}

struct strv
strv_skip(struct strv v, size_t n)
{
	if (n > v.len)
		n = v.len;
	return (struct strv){ v.ptr + n, v.len - n };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct strv
strv_trim_blanks(struct strv v)
{
	while (v.len > 0 && is_blank(v.ptr[0]))
		v = strv_skip(v, 1);
	while (v.len > 0 && is_blank(v.ptr[v.len - 1]))
		v.len--;
	return v;
}

struct strv
strv_trim_end(struct strv v)
{
	while (v.len > 0 &&
	       (is_blank(v.ptr[v.len - 1]) || v.ptr[v.len - 1] == '\n'))
		v.len--;
	return v;
}

struct strv
strv_cut(struct strv *rest, char c, bool *found)
{
	struct strv all = *rest;
	size_t at = strv_find(all, c);

	if (found != NULL)
		*found = at != STRV_NPOS;
	if (at == STRV_NPOS) {
		*rest = strv_skip(all, all.len);
		return all;
	}
	*rest = strv_skip(all, at + 1);
	return strv_head(all, at);
}

struct strv
strv_cut_line(struct strv *rest)
{
	struct strv line = strv_cut(rest, '\n', NULL);

	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

int
strv_to_u64(struct strv v, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (v.len == 0)
		return QE_SYNTAX;
	for (size_t i = 0; i < v.len; i++)
		if (!ascii_is_digit(v.ptr[i]))
			return QE_SYNTAX;
	for (size_t i = 0; i < v.len; i++)
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
		    __builtin_add_overflow(
			value, (uint64_t)(v.ptr[i] - '0'), &value))
			return QE_LIMIT;
	if (value > max)
		return QE_LIMIT;
	*out = value;
	return 0;
}
