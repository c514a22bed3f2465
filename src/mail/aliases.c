/*
 * The syntax of /etc/aliases (newaliases(8)).  Written by administrators and
 * packages, read as root: nothing that does not parse is guessed at.
 */
#include "mail/aliases.h"
#include "base/error.h"

void
aliases_init(struct aliases *a, struct strv text)
{
	*a = (struct aliases){ .rest = text,
		.next_line = 1,
		.name = BUF_LIMIT(ALIASES_NAME_MAX),
		.values = BUF_LIMIT(ALIASES_FILE_MAX) };
}

void
aliases_free(struct aliases *a)
{
	buf_free(&a->name);
	buf_free(&a->values);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
is_continued(struct strv rest)
{
	return rest.len > 0 && is_blank(rest.ptr[0]);
}

/* One physical line, CR and blanks at its end removed. */
static struct strv
take_line(struct aliases *a)
{
	struct strv line = strv_cut(&a->rest, '\n', NULL);

	a->next_line++;
	while (line.len > 0 && is_blank(line.ptr[line.len - 1]))
		line.len--;
	return line;
}

/* Where the name ends: the first colon outside quotes. */
static size_t
find_colon(struct strv line)
{
	bool quoted = false;

	for (size_t i = 0; i < line.len; i++) {
		if (line.ptr[i] == '\\')
			i++;
		else if (line.ptr[i] == '"')
			quoted = !quoted;
		else if (line.ptr[i] == ':' && !quoted)
			return i;
	}
	return STRV_NPOS;
}

/* Without quotes and the backslashes in them. */
static int
add_unquoted(struct buf *out, struct strv text)
{
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\' && ++i < text.len)
			c = text.ptr[i];
		buf_add_char(out, c);
	}
	if (out->err != 0)
		return out->err == QE_NOMEM ? QE_NOMEM : QE_SYNTAX;
	return quoted ? QE_SYNTAX : 0;
}

static struct strv
skip_blanks(struct strv text)
{
	while (text.len > 0 && is_blank(text.ptr[0]))
		text = strv_skip(text, 1);
	return text;
}

static bool
is_comment(struct strv text)
{
	text = skip_blanks(text);
	return text.len > 0 && text.ptr[0] == '#';
}

/* Lines that begin with a blank, but for comments: 0 or QE_SYNTAX. */
static int
add_continued(struct aliases *a)
{
	while (is_continued(a->rest)) {
		struct strv line = take_line(a);

		if (strv_find(line, '\0') != STRV_NPOS)
			return QE_SYNTAX;
		if (is_comment(line))
			continue;
		buf_add_char(&a->values, ' ');
		buf_add_view(&a->values, line);
	}
	return 0;
}

int
aliases_next(struct aliases *a)
{
	struct strv line = STRV_EMPTY;
	size_t colon;
	int r;

	while (a->rest.len > 0 && (line.len == 0 || line.ptr[0] == '#')) {
		a->line = a->next_line;
		line = take_line(a);
	}
	if (line.len == 0 || line.ptr[0] == '#')
		return QE_EOF;
	if (is_blank(line.ptr[0]) || strv_find(line, '\0') != STRV_NPOS)
		return QE_SYNTAX;
	colon = find_colon(line);
	buf_reset(&a->name);
	buf_reset(&a->values);
	if (colon == STRV_NPOS)
		return QE_SYNTAX;
	r = add_unquoted(&a->name, strv_trim_blanks(strv_head(line, colon)));
	line = strv_skip(line, colon + 1);
	if (r == 0 && (a->name.len == 0 || is_comment(line)))
		r = QE_SYNTAX;
	buf_add_view(&a->values, line);
	if (r == 0)
		r = add_continued(a);
	return r == 0 ? a->values.err : r;
}

/*
 * The bytes of the first value: up to a comma outside quotes, or a line's end.
 * A comment behind a comma is none: it would hide what a further line of the
 * alias holds.
 */
static int
cut_value(struct strv *rest, struct strv *out)
{
	bool quoted = false, in_list;
	size_t i;

	for (i = 0; i < rest->len; i++) {
		char c = rest->ptr[i];

		if (c == '\n' || (c == ',' && !quoted))
			break;
		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && i + 1 < rest->len &&
			 rest->ptr[i + 1] != '\n')
			i++;
	}
	in_list = i < rest->len && rest->ptr[i] == ',';
	*out = strv_trim_blanks(strv_head(*rest, i));
	*rest = strv_skip(*rest, i + 1);
	return quoted || (in_list && is_comment(*rest)) ||
		       strv_find(*out, '\0') != STRV_NPOS
		   ? QE_SYNTAX
		   : 0;
}

/* "Name <joe@host>", "joe@host (Name)" and "<joe@host> (Name)". */
static struct strv
bare_address(struct strv value)
{
	size_t comment = strv_find(value, '(');
	size_t open;

	if (comment != STRV_NPOS && value.ptr[value.len - 1] == ')')
		value = strv_trim_blanks(strv_head(value, comment));
	open = strv_rfind(value, '<');
	if (open != STRV_NPOS && value.ptr[value.len - 1] == '>')
		value = strv_trim_blanks(strv_head(
		    strv_skip(value, open + 1), value.len - open - 2));
	return value;
}

/* An address is one word; "\joe" is joe. */
static int
add_address(struct strv value, struct buf *text)
{
	int r;

	value = bare_address(value);
	if (value.len > 0 && value.ptr[0] == '\\')
		value = strv_skip(value, 1);
	r = add_unquoted(text, value);
	if (r != 0)
		return r;
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];

		if (c <= ' ' || c == 127)
			return QE_SYNTAX;
	}
	return text->len == 0 ? QE_SYNTAX : 0;
}

/* |"command" is what others write for "|command". */
static bool
is_wholly_quoted(struct strv text)
{
	return text.len > 1 && text.ptr[0] == '"' &&
	       strv_find(strv_skip(text, 1), '"') == text.len - 2;
}

static int
add_value(struct strv value, enum alias_kind *kind, struct buf *text)
{
	static const char include[] = ":include:";
	struct strv mark = strv_from(include, sizeof(include) - 1);
	bool quoted = value.ptr[0] == '"';
	struct strv inside = strv_skip(value, quoted);
	int r;

	*kind = ALIAS_ADDRESS;
	if (inside.len > 0 && inside.ptr[0] == '|')
		*kind = ALIAS_PROGRAM;
	else if (inside.len > 0 && inside.ptr[0] == '/')
		*kind = ALIAS_FILE;
	else if (strv_starts_nocase(inside, mark))
		*kind = ALIAS_INCLUDE;
	else
		return add_address(value, text);
	/* Quotes belong to the command unless they enclose all of it. */
	if (quoted || is_wholly_quoted(strv_skip(value, 1)))
		r = add_unquoted(text, value);
	else
		r = (buf_add_view(text, value), text->err);
	if (r == 0 && *kind == ALIAS_PROGRAM)
		buf_consume(text, 1);
	if (r == 0 && *kind == ALIAS_INCLUDE)
		buf_consume(text, mark.len);
	if (r == 0 && text->len == 0)
		r = QE_SYNTAX;
	return r;
}

/* Also what may stand between two values: blanks, line ends. */
static struct strv
skip_comments(struct strv rest)
{
	while (rest.len > 0) {
		if (rest.ptr[0] == '#')
			strv_cut(&rest, '\n', NULL);
		else if (is_blank(rest.ptr[0]) || rest.ptr[0] == '\n')
			rest = strv_skip(rest, 1);
		else
			break;
	}
	return rest;
}

int
aliases_value(struct strv *rest, enum alias_kind *kind, struct buf *text)
{
	struct strv value = STRV_EMPTY;
	int r = 0;

	text->max = ALIASES_VALUE_MAX;
	buf_reset(text);
	while (r == 0 && value.len == 0) {
		*rest = skip_comments(*rest);
		if (rest->len == 0)
			return QE_EOF;
		r = cut_value(rest, &value);
	}
	return r == 0 ? add_value(value, kind, text) : r;
}
