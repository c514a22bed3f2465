/*
 * String views: borrowed bytes with a length.  A view dies with its source;
 * whoever keeps the bytes copies them.  Views may hold NUL.
 */
#ifndef BASE_STRV_H
#define BASE_STRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strv {
	const char *ptr;
	size_t len;
};

#define STRV(literal) ((struct strv){ (literal), sizeof(literal) - 1 })
#define STRV_EMPTY    ((struct strv){ "", 0 })
/* For printf's "%.*s"; the length is clamped to INT_MAX. */
#define STRV_FMT    "%.*s"
#define STRV_ARG(v) strv_fmt_len(v), (v).ptr

#define STRV_NPOS SIZE_MAX /* "not found" */

struct strv strv_of(const char *text); /* NULL gives the empty view */
struct strv strv_from(const char *ptr, size_t len);
int strv_fmt_len(struct strv v);

bool strv_eq(struct strv a, struct strv b);
bool strv_eq_nocase(struct strv a, struct strv b); /* ASCII only */
bool strv_starts(struct strv v, struct strv prefix);
bool strv_starts_nocase(struct strv v, struct strv prefix);
bool strv_ends_nocase(struct strv v, struct strv suffix);

/* Index of the first or last byte c, or STRV_NPOS. */
size_t strv_find(struct strv v, char c);
size_t strv_rfind(struct strv v, char c);

struct strv strv_head(struct strv v, size_t n); /* first n bytes, at most all */
struct strv strv_skip(struct strv v, size_t n); /* all but the first n */
struct strv strv_trim_blanks(struct strv v);    /* SP and TAB, both ends */
struct strv strv_trim_end(struct strv v);       /* SP, TAB and LF at the end */

/*
 * Cuts *rest at the first byte c: returns what stands before it and leaves in
 * *rest what follows.  Without c the whole is returned, *rest becomes empty
 * and *found (may be NULL) false.
 */
struct strv strv_cut(struct strv *rest, char c, bool *found);
/* Takes a line off *rest: what is before LF or CR LF. */
struct strv strv_cut_line(struct strv *rest);

/*
 * The one decimal parser for numbers from outside: one or more digits and
 * nothing else, value at most max.  0, or QE_SYNTAX (not a number) or
 * QE_LIMIT (too large), *out then untouched.
 */
int strv_to_u64(struct strv v, uint64_t max, uint64_t *out);

/* ASCII lower case of one byte; other bytes unchanged. */
char ascii_lower(char c);
bool ascii_is_digit(char c);
bool ascii_is_alpha(char c);

#endif
