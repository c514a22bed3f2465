/* The lexer of address fields; see the header. */
#include "mail/token.h"
#include "base/error.h"

#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

/* What ends an atom. */
static bool
is_special(char c)
{
	return is_blank(c) || c == '\0' || strchr("()<>@,;:.[]\"", c) != NULL;
}

/* One byte, or two if the first is a backslash; 0 at the end or a NUL. */
static size_t
byte_or_pair(struct strv v, size_t at)
{
	size_t n;

	if (at >= v.len || v.ptr[at] == '\0')
		return 0;
	n = v.ptr[at] == '\\' ? 2 : 1;
	if (n == 2 && (at + 1 >= v.len || v.ptr[at + 1] == '\0'))
		return 0;
	return n;
}

/* Length of what begins with an opening byte; 0 if it is never closed. */
static size_t
length_closed(struct strv v, char close)
{
	size_t at = 1, n;

	while ((n = byte_or_pair(v, at)) != 0) {
		if (v.ptr[at] == close)
			return at + 1;
		at += n;
	}
	return 0;
}

static size_t
length_comment(struct strv v)
{
	size_t at = 0, depth = 0, n;

	while ((n = byte_or_pair(v, at)) != 0) {
		if (v.ptr[at] == '(')
			depth++;
		else if (v.ptr[at] == ')' && --depth == 0)
			return at + 1;
		at += n;
	}
	return 0;
}

static size_t
length_atom(struct strv v)
{
	size_t at = 0, n;

	while (at < v.len && !is_special(v.ptr[at])) {
		n = byte_or_pair(v, at);
		if (n == 0)
			return 0;
		at += n;
	}
	return at;
}

static enum token_kind
kind_of(char first)
{
	switch (first) {
	case '"':
		return TOKEN_QUOTED;
	case '[':
		return TOKEN_LITERAL;
	case '(':
		return TOKEN_COMMENT;
	case ',':
		return TOKEN_COMMA;
	case ';':
		return TOKEN_SEMICOLON;
	case ':':
		return TOKEN_COLON;
	case '<':
		return TOKEN_LEFT;
	case '>':
		return TOKEN_RIGHT;
	case '@':
		return TOKEN_AT;
	case '.':
		return TOKEN_DOT;
	default:
		return TOKEN_ATOM;
	}
}

static size_t
length_of(enum token_kind kind, struct strv v)
{
	switch (kind) {
	case TOKEN_QUOTED:
		return length_closed(v, '"');
	case TOKEN_LITERAL:
		return length_closed(v, ']');
	case TOKEN_COMMENT:
		return length_comment(v);
	case TOKEN_ATOM:
		return length_atom(v);
	case TOKEN_END:
	case TOKEN_COMMA:
	case TOKEN_SEMICOLON:
	case TOKEN_COLON:
	case TOKEN_LEFT:
	case TOKEN_RIGHT:
	case TOKEN_AT:
	case TOKEN_DOT:
		break;
	}
	return 1;
}

int
token_next(struct strv *rest, struct token *out)
{
	struct token t = { .kind = TOKEN_END };
	size_t n = 0;

	while (rest->len > 0 && is_blank(rest->ptr[0])) {
		*rest = strv_skip(*rest, 1);
		t.spaced = true;
	}
	if (rest->len > 0) {
		t.kind = kind_of(rest->ptr[0]);
		n = length_of(t.kind, *rest);
		if (n == 0)
			return QE_SYNTAX;
	}
	t.text = strv_head(*rest, n);
	*rest = strv_skip(*rest, n);
	*out = t;
	return 0;
}

bool
token_is_word(const struct token *t)
{
	return t->kind == TOKEN_ATOM || t->kind == TOKEN_QUOTED;
}

void
token_add_meaning(struct buf *out, const struct token *t)
{
	struct strv v = t->text;

	if (t->kind == TOKEN_QUOTED)
		v = strv_head(strv_skip(v, 1), v.len - 2);
	for (size_t i = 0; i < v.len; i++) {
		if (v.ptr[i] == '\\' && i + 1 < v.len)
			i++;
		if (!is_line_end(v.ptr[i]))
			buf_add_char(out, v.ptr[i]);
	}
}

/* An atom that holds a backslash is only legal as a quoted string. */
static void
add_quoted_atom(struct buf *out, struct strv v)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < v.len; i++) {
		if (v.ptr[i] == '\\' && i + 1 < v.len)
			i++;
		if (v.ptr[i] == '"' || v.ptr[i] == '\\')
			buf_add_char(out, '\\');
		if (!is_line_end(v.ptr[i]))
			buf_add_char(out, v.ptr[i]);
	}
	buf_add_char(out, '"');
}

void
token_add_printed(struct buf *out, const struct token *t)
{
	struct strv v = t->text;

	if (t->kind == TOKEN_ATOM && strv_find(v, '\\') != STRV_NPOS) {
		add_quoted_atom(out, v);
		return;
	}
	for (size_t i = 0; i < v.len; i++) {
		/* A pair stays a pair, unless it would escape a line end. */
		if (v.ptr[i] == '\\' && i + 1 < v.len) {
			if (is_line_end(v.ptr[i + 1])) {
				i++;
				continue;
			}
			buf_add_char(out, v.ptr[i++]);
		}
		if (!is_line_end(v.ptr[i]))
			buf_add_char(out, v.ptr[i]);
	}
}
