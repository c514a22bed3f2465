/*
 * One pass over an expression: what it may hold, its translation, and the
 * strings that every match must contain (regex(7), pcre2pattern(3)).
 */
#include "base/ere.h"
#include "base/error.h"

#include <string.h>

/* Three bytes become thirteen: "!-~" is three ranges.  And anchors. */
enum { ERE_GROWTH = 5, ERE_ROOM = 16 };

struct parser {
	struct strv rest;
	/* Written without asking: make_room() made enough. */
	char *pcre, *literals;
	size_t pcre_len, literals_len;
	const char *why;
	size_t depth;
	bool can_repeat;   /* what stands before is an atom */
	bool branch_empty; /* nothing since '(' or '|' */
	bool after_bar;    /* the branch began with '|' */
	bool alternatives; /* at the top: no string is sure */
	/* The last atom is a literal byte at the end of literals. */
	bool literal_last;
	uint64_t copies; /* of the whole, by its bounds; stops growing */
};

static int
fail(struct parser *p, const char *why)
{
	p->why = why;
	return QE_SYNTAX;
}

static char
take(struct parser *p)
{
	p->rest.len--;
	return *p->rest.ptr++;
}

static bool
next_is(const struct parser *p, char c)
{
	return p->rest.len > 0 && p->rest.ptr[0] == c;
}

static void
put(struct parser *p, char c)
{
	p->pcre[p->pcre_len++] = c;
}

static void
put_text(struct parser *p, const char *text)
{
	while (*text != '\0')
		put(p, *text++);
}

/* Ends the string under way. */
static void
end_literal(struct parser *p)
{
	if (p->literals_len > 0 && p->literals[p->literals_len - 1] != '\0')
		p->literals[p->literals_len++] = '\0';
	p->literal_last = false;
}

/* In lower case; punctuation is escaped: it stands for itself, too. */
static void
emit_literal(struct parser *p, char c)
{
	unsigned char u = (unsigned char)c;

	if (u > 32 && u < 127 && !ascii_is_alpha(c) && !ascii_is_digit(c) &&
	    c != '_')
		put(p, '\\');
	put(p, ascii_lower(c));
}

static void
atom(struct parser *p)
{
	p->can_repeat = true;
	p->branch_empty = false;
}

static void
literal(struct parser *p, char c)
{
	emit_literal(p, c);
	if (p->depth == 0) {
		p->literals[p->literals_len++] = ascii_lower(c);
		p->literal_last = true;
	}
	atom(p);
}

/* Something that is no single byte, in PCRE2's words. */
static void class(struct parser *p, const char *pcre)
{
	end_literal(p);
	put_text(p, pcre);
	atom(p);
}

/* What has no width cannot be repeated. */
static void
anchor(struct parser *p, const char *pcre)
{
	put_text(p, pcre);
	p->branch_empty = p->can_repeat = p->literal_last = false;
}

static int
escape(struct parser *p)
{
	char c;

	if (p->rest.len == 0)
		return fail(p, "backslash at the end");
	c = take(p);
	if (ascii_is_digit(c))
		return fail(p, "back references are not supported");
	if (strchr("dDsSwW", c) != NULL)
		class(p, (const char[]){ '\\', c, '\0' });
	else if (strchr("bB", c) != NULL)
		anchor(p, (const char[]){ '\\', c, '\0' });
	else
		literal(p, c);
	return 0;
}

/* "[:alpha:]" and the like, behind "[:"; the name must be one we know. */
static int
bracket_class(struct parser *p)
{
	static const char names[][8] = { "alnum", "alpha", "blank", "cntrl",
		"digit", "graph", "lower", "print", "punct", "space", "upper",
		"xdigit" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct strv name = strv_of(names[i]);
		struct strv behind = strv_skip(p->rest, name.len);

		if (!strv_starts(p->rest, name) ||
		    !strv_starts(behind, STRV(":]")))
			continue;
		put_text(p, "[:");
		put_text(
		    p, strcmp(names[i], "upper") == 0 ? "lower" : names[i]);
		put_text(p, ":]");
		p->rest = strv_skip(behind, 2);
		return 0;
	}
	return fail(p, "unknown character class");
}

/* One byte, or "[.x.]" or "[=x=]". */
static int
bracket_byte(struct parser *p, char *c)
{
	char mark;

	if (p->rest.len == 0)
		return fail(p, "unbalanced bracket");
	*c = take(p);
	if (*c != '[' || (!next_is(p, '.') && !next_is(p, '=')))
		return 0;
	mark = take(p);
	if (p->rest.len < 3 || p->rest.ptr[1] != mark || p->rest.ptr[2] != ']')
		return fail(p, "unknown collating element");
	*c = take(p);
	p->rest = strv_skip(p->rest, 2);
	return 0;
}

static void
emit_range(struct parser *p, char first, char last)
{
	emit_literal(p, first);
	put(p, '-');
	emit_literal(p, last);
}

/* A range means the lower case of its capitals, and all else that it holds. */
static void
bracket_range(struct parser *p, unsigned char first, unsigned char last)
{
	unsigned char from = first > 'A' ? first : 'A';
	unsigned char to = last < 'Z' ? last : 'Z';

	if (from <= to)
		emit_range(p, (char)from, (char)to);
	if (first < 'A')
		emit_range(p, (char)first, (char)(last < 'A' ? last : '@'));
	if (last > 'Z')
		emit_range(p, (char)(first > 'Z' ? first : '['), (char)last);
}

/* A byte or a range of bytes; *single is the byte, or -1. */
static int
bracket_item(struct parser *p, int *single)
{
	char first, last;
	int r;

	*single = -1;
	if (strv_starts(p->rest, STRV("[:"))) {
		p->rest = strv_skip(p->rest, 2);
		return bracket_class(p);
	}
	r = bracket_byte(p, &first);
	if (r != 0)
		return r;
	if (p->rest.len < 2 || p->rest.ptr[0] != '-' || p->rest.ptr[1] == ']') {
		emit_literal(p, first);
		*single = (unsigned char)first;
		return 0;
	}
	take(p);
	if (strv_starts(p->rest, STRV("[:")))
		return fail(p, "a range ends with a class");
	r = bracket_byte(p, &last);
	if (r != 0)
		return r;
	if ((unsigned char)last < (unsigned char)first)
		return fail(p, "a range is in the wrong order");
	bracket_range(p, (unsigned char)first, (unsigned char)last);
	return 0;
}

/* regex(7)'s word boundaries, which look like brackets. */
static bool
take_word_boundary(struct parser *p)
{
	const struct strv begins = STRV("[:<:]]"), ends = STRV("[:>:]]");

	if (strv_starts(p->rest, begins))
		anchor(p, "\\b(?=\\w)");
	else if (strv_starts(p->rest, ends))
		anchor(p, "\\b(?<=\\w)");
	else
		return false;
	p->rest = strv_skip(p->rest, begins.len);
	return true;
}

static int
bracket(struct parser *p)
{
	size_t items = 0, start = p->pcre_len;
	bool inverted = false;
	int single = -1;

	if (take_word_boundary(p))
		return 0;
	put(p, '[');
	if (next_is(p, '^')) {
		inverted = true;
		put(p, take(p));
	}
	/* A ']' that comes first stands for itself. */
	for (; items == 0 || !next_is(p, ']'); items++) {
		int r = bracket_item(p, &single);

		if (r != 0)
			return r;
	}
	take(p);
	if (items == 1 && !inverted && single >= 0) {
		p->pcre_len = start;
		literal(p, (char)single);
		return 0;
	}
	class(p, "]");
	return 0;
}

/* The last atom may occur any number of times, perhaps none. */
static void
repeated(struct parser *p, bool may_be_absent)
{
	if (p->literal_last && may_be_absent)
		p->literals_len--;
	end_literal(p);
	p->can_repeat = false;
}

static int
repeat(struct parser *p, char c)
{
	if (!p->can_repeat)
		return fail(p, "nothing to repeat");
	put(p, c);
	repeated(p, c != '+');
	return 0;
}

/* A number of a bound, or false. */
static bool
take_number(struct parser *p, uint64_t *n)
{
	size_t digits = 0;
	struct strv text;

	while (digits < p->rest.len && ascii_is_digit(p->rest.ptr[digits]))
		digits++;
	text = strv_head(p->rest, digits);
	p->rest = strv_skip(p->rest, digits);
	return strv_to_u64(text, ERE_REPEAT_MAX, n) == 0;
}

/* "{n}", "{n,}" or "{n,m}", behind the brace. */
static int
bound(struct parser *p)
{
	struct strv begin = p->rest;
	uint64_t least, most;

	if (!p->can_repeat)
		return fail(p, "nothing to repeat");
	if (!take_number(p, &least))
		return fail(p, "a bound is above 255");
	most = least;
	if (next_is(p, ',')) {
		take(p);
		if (!next_is(p, '}') && !take_number(p, &most))
			return fail(p, "a bound is no number up to 255");
	}
	if (!next_is(p, '}'))
		return fail(p, "unbalanced brace");
	take(p);
	if (most < least)
		return fail(p, "a bound is in the wrong order");
	put(p, '{');
	for (size_t i = 0; i < begin.len - p->rest.len; i++)
		put(p, begin.ptr[i]);
	if (p->copies < ERE_LARGE && most > 1)
		p->copies *= most;
	repeated(p, least == 0);
	return 0;
}

static int
brace(struct parser *p)
{
	if (p->rest.len > 0 && ascii_is_digit(p->rest.ptr[0]))
		return bound(p);
	literal(p, '{');
	return 0;
}

static int
open_group(struct parser *p)
{
	if (++p->depth > ERE_DEPTH_MAX)
		return fail(p, "parentheses nest too deep");
	end_literal(p);
	put_text(p, "(?:");
	p->can_repeat = p->after_bar = false;
	p->branch_empty = true;
	return 0;
}

static int
close_group(struct parser *p)
{
	if (p->depth == 0)
		return fail(p, "unbalanced parenthesis");
	if (p->branch_empty && p->after_bar)
		return fail(p, "empty alternative");
	p->depth--;
	put(p, ')');
	p->after_bar = false;
	atom(p);
	return 0;
}

static int
bar(struct parser *p)
{
	if (p->branch_empty)
		return fail(p, "empty alternative");
	if (p->depth == 0)
		p->alternatives = true;
	end_literal(p);
	put(p, '|');
	p->can_repeat = false;
	p->branch_empty = p->after_bar = true;
	return 0;
}

static int
piece(struct parser *p)
{
	char c = take(p);

	switch (c) {
	case '\\':
		return escape(p);
	case '[':
		return bracket(p);
	case '(':
		return open_group(p);
	case ')':
		return close_group(p);
	case '|':
		return bar(p);
	case '{':
		return brace(p);
	case '*':
	case '+':
	case '?':
		return repeat(p, c);
	case '^':
	case '$':
		anchor(p, c == '^' ? "^" : "$");
		return 0;
	case '.':
		class(p, ".");
		return 0;
	default:
		literal(p, c);
		return 0;
	}
}

/* What is left open at the end. */
static int
finish(struct parser *p)
{
	if (p->depth > 0)
		return fail(p, "unbalanced parenthesis");
	if (p->branch_empty)
		return fail(p, "empty alternative");
	end_literal(p);
	if (p->alternatives)
		p->literals_len = 0;
	return 0;
}

/* Bytes that no subject holds, or that end a line elsewhere. */
static bool
is_foreign(struct strv text)
{
	bool foreign = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		foreign |= c == '\0' || c == '\r' || c == '\n';
	}
	return foreign;
}

/* Room for whatever the text may become. */
static int
make_room(struct parser *p, struct ere *ere, size_t n)
{
	ere->pcre.max = ERE_GROWTH * ERE_BYTES_MAX + ERE_ROOM;
	ere->literals.max = 2 * ERE_BYTES_MAX + ERE_ROOM;
	buf_reset(&ere->pcre);
	buf_reset(&ere->literals);
	p->pcre = buf_reserve(&ere->pcre, ERE_GROWTH * n + ERE_ROOM);
	p->literals = buf_reserve(&ere->literals, 2 * n + ERE_ROOM);
	return p->pcre == NULL || p->literals == NULL ? QE_NOMEM : 0;
}

static int
parse(struct parser *p)
{
	int r = 0;

	if (is_foreign(p->rest))
		return fail(p, "NUL or carriage return");
	while (r == 0 && p->rest.len > 0)
		r = piece(p);
	return r == 0 ? finish(p) : r;
}

int
ere_translate(struct strv text, struct ere *ere, const char **why)
{
	struct parser p = { .rest = text, .branch_empty = true, .copies = 1 };
	int r;

	if (text.len > ERE_BYTES_MAX) {
		*why = "too long";
		return QE_SYNTAX;
	}
	r = make_room(&p, ere, text.len);
	if (r == 0)
		r = parse(&p);
	if (r == QE_SYNTAX)
		*why = p.why;
	if (r != 0)
		return r;
	ere->pcre.len = p.pcre_len;
	ere->literals.len = p.literals_len;
	ere->may_be_large = p.copies * p.pcre_len > ERE_LARGE;
	return 0;
}

void
ere_free(struct ere *ere)
{
	buf_free(&ere->pcre);
	buf_free(&ere->literals);
}
