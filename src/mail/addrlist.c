/*
 * The list around the addresses: commas, groups, names before <>, folding.
 * Memory for one element is bounded; the list is printed as it is read.
 */
#include "mail/addrlist.h"
#include "base/error.h"
#include "mail/addrspec.h"
#include "mail/token.h"

#include <stdlib.h>

/* What stands before the next element. */
enum gap {
	GAP_NONE, /* the beginning */
	GAP_COMMA,
	GAP_BLANK /* behind "name:" */
};

struct parser {
	struct strv rest;
	const struct address_rules *rules;
	struct addrlist *out;
	struct token tokens[ADDRLIST_ELEMENT_TOKENS]; /* of one element */
	struct token_run run;
	struct buf element; /* printed form of one */
	enum gap gap;
	size_t column;
	bool in_group;
};

void
addrlist_free(struct addrlist *list)
{
	buf_free(&list->printed);
	buf_free(&list->addresses);
	list->count = 0;
}

/*
 * Prints the finished element, on a line of its own if it does not fit any
 * more.  A comma or semicolon may still follow it.
 */
static void
put_element(struct parser *p)
{
	struct buf *to = &p->out->printed;
	size_t gap = p->gap == GAP_COMMA ? 2 : p->gap == GAP_BLANK ? 1 : 0;
	size_t width = p->column + gap + p->element.len + 1;

	if (p->gap == GAP_COMMA)
		buf_add_char(to, ',');
	if (p->gap != GAP_NONE && width > ADDRLIST_COLUMNS) {
		buf_add_str(to, "\n  ");
		p->column = 2;
	} else if (p->gap != GAP_NONE) {
		buf_add_char(to, ' ');
		p->column += gap;
	}
	buf_add_view(to, buf_view(&p->element));
	p->column += p->element.len;
	p->gap = GAP_COMMA;
	if (p->element.err != 0 && to->err == 0)
		to->err = p->element.err;
	buf_reset(&p->element);
}

/* Reads tokens into the run up to a delimiter, which is left in *stop. */
static int
read_run(struct parser *p, bool in_angle, struct token *stop)
{
	p->run = (struct token_run){ .items = p->tokens };
	for (;;) {
		int r = token_next(&p->rest, stop);

		if (r != 0)
			return r;
		switch (stop->kind) {
		case TOKEN_END:
		case TOKEN_SEMICOLON:
		case TOKEN_LEFT:
		case TOKEN_RIGHT:
			return 0;
		case TOKEN_COMMA:
		case TOKEN_COLON:
			if (!in_angle)
				return 0;
			break;
		case TOKEN_ATOM:
		case TOKEN_QUOTED:
		case TOKEN_LITERAL:
		case TOKEN_COMMENT:
		case TOKEN_AT:
		case TOKEN_DOT:
			break;
		}
		if (p->run.count == ADDRLIST_ELEMENT_TOKENS)
			return QE_LIMIT;
		p->tokens[p->run.count++] = *stop;
	}
}

static int
end_address(struct parser *p)
{
	buf_add_char(&p->out->addresses, '\0');
	p->out->count++;
	return p->out->addresses.err;
}

/* The addresses of tokens *at..end, with commas where they were missing. */
static int
put_bare_addresses(struct parser *p, size_t *at, size_t end)
{
	struct token_run part = { .items = p->tokens, .count = end };
	int r = 0;

	while (r == 0 && addrspec_skip_comments(&part, *at) < end) {
		size_t start = *at;

		r = addrspec_parse(
		    &part, at, p->rules, &p->element, &p->out->addresses);
		*at = addrspec_skip_comments(&part, *at);
		addrspec_add_comments(&part, start, *at, &p->element);
		if (r == 0)
			r = end_address(p);
		put_element(p);
	}
	return r;
}

/*
 * Where the name before '<' or ':' begins: an '@' before it belongs to an
 * address of its own that lacks its comma, up to the end of its domain.
 */
static size_t
name_start(const struct token_run *run)
{
	size_t at = run->count;

	while (at > 0 && run->items[at - 1].kind != TOKEN_AT)
		at--;
	if (at == 0)
		return 0;
	at = addrspec_skip_comments(run, at);
	while (at < run->count && run->items[at].kind == TOKEN_DOT)
		at++;
	if (at < run->count)
		at++;
	while (at + 1 < run->count && run->items[at].kind == TOKEN_DOT)
		at += 2;
	return at;
}

/* Words of a name, with blanks where there were some. */
static size_t
print_name(struct parser *p, size_t from)
{
	size_t words = 0;

	for (size_t i = from; i < p->run.count; i++) {
		const struct token *t = &p->tokens[i];

		if (t->kind == TOKEN_COMMENT)
			continue;
		if (words++ > 0 && t->spaced)
			buf_add_char(&p->element, ' ');
		token_add_printed(&p->element, t);
	}
	return words;
}

/* Drops "@a,@b:" inside <>; false if it lacks its colon. */
static bool
skip_route(const struct token_run *run, size_t *at)
{
	*at = addrspec_skip_comments(run, *at);
	if (*at == run->count || run->items[*at].kind != TOKEN_AT)
		return true;
	while (*at < run->count)
		if (run->items[(*at)++].kind == TOKEN_COLON)
			return true;
	return false;
}

/* What stands between < and >; the element gets it with both. */
static int
put_angle(struct parser *p)
{
	struct token stop;
	size_t at = 0;
	int r = read_run(p, true, &stop);

	if (r != 0)
		return r;
	if (stop.kind != TOKEN_RIGHT || !skip_route(&p->run, &at))
		return QE_SYNTAX;
	buf_add_char(&p->element, '<');
	if (addrspec_skip_comments(&p->run, at) < p->run.count)
		r = addrspec_parse(
		    &p->run, &at, p->rules, &p->element, &p->out->addresses);
	if (r == 0 && addrspec_skip_comments(&p->run, at) < p->run.count)
		r = QE_SYNTAX;
	buf_add_char(&p->element, '>');
	addrspec_add_comments(&p->run, 0, p->run.count, &p->element);
	return r == 0 ? end_address(p) : r;
}

/* The comments behind '>' belong to what is before it. */
static int
take_trailing_comments(struct parser *p, struct buf *comments)
{
	for (;;) {
		struct strv rest = p->rest;
		struct token t;
		int r = token_next(&rest, &t);

		if (r != 0)
			return r;
		if (t.kind != TOKEN_COMMENT)
			return 0;
		buf_add_char(comments, ' ');
		token_add_printed(comments, &t);
		p->rest = rest;
	}
}

/* [address ...] [name] < ... > */
static int
put_route_address(struct parser *p)
{
	struct buf comments = BUF_LIMIT(ADDRLIST_BYTES_MAX);
	size_t at = 0, name = name_start(&p->run);
	int r = put_bare_addresses(p, &at, name);

	if (r == 0) {
		addrspec_add_comments(&p->run, at, p->run.count, &comments);
		if (print_name(p, at) > 0)
			buf_add_char(&p->element, ' ');
		r = put_angle(p);
	}
	if (r == 0)
		r = take_trailing_comments(p, &comments);
	if (r == 0)
		r = comments.err;
	buf_add_view(&p->element, buf_view(&comments));
	buf_free(&comments);
	put_element(p);
	return r;
}

static int
begin_group(struct parser *p)
{
	if (p->in_group || name_start(&p->run) != 0 || print_name(p, 0) == 0)
		return QE_SYNTAX;
	addrspec_add_comments(&p->run, 0, p->run.count, &p->element);
	buf_add_char(&p->element, ':');
	put_element(p);
	p->gap = GAP_BLANK;
	p->in_group = true;
	return 0;
}

static int
end_group(struct parser *p)
{
	if (!p->in_group)
		return QE_SYNTAX;
	if (p->gap == GAP_BLANK) { /* an empty group: "name: ;" */
		buf_add_char(&p->out->printed, ' ');
		p->column++;
	}
	buf_add_char(&p->out->printed, ';');
	p->column++;
	p->gap = GAP_COMMA;
	p->in_group = false;
	return 0;
}

/* One element and its delimiter; *more is false behind the last. */
static int
parse_element(struct parser *p, bool *more)
{
	struct token stop;
	size_t at = 0;
	int r = read_run(p, false, &stop);

	if (r != 0)
		return r;
	switch (stop.kind) {
	case TOKEN_LEFT:
		return put_route_address(p);
	case TOKEN_COLON:
		return begin_group(p);
	case TOKEN_COMMA:
		return put_bare_addresses(p, &at, p->run.count);
	case TOKEN_SEMICOLON:
		r = put_bare_addresses(p, &at, p->run.count);
		return r == 0 ? end_group(p) : r;
	case TOKEN_END:
		*more = false;
		r = put_bare_addresses(p, &at, p->run.count);
		return r == 0 && p->in_group ? QE_SYNTAX : r;
	case TOKEN_RIGHT:
	case TOKEN_ATOM:
	case TOKEN_QUOTED:
	case TOKEN_LITERAL:
	case TOKEN_COMMENT:
	case TOKEN_AT:
	case TOKEN_DOT:
		break;
	}
	return QE_SYNTAX;
}

int
addrlist_parse(struct strv value, const struct address_rules *rules,
    size_t column, struct addrlist *out)
{
	struct parser *p = calloc(1, sizeof *p);
	bool more = true;
	int r = 0;

	if (p == NULL)
		return QE_NOMEM;
	p->rest = value;
	p->rules = rules;
	p->out = out;
	p->column = column;
	p->element.max = ADDRLIST_BYTES_MAX;
	while (r == 0 && more)
		r = parse_element(p, &more);
	if (r == 0)
		r = out->printed.err != 0 ? out->printed.err
					  : out->addresses.err;
	buf_free(&p->element);
	free(p);
	return r;
}
