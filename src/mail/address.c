/*
 * Addresses: split, parsed from SMTP's path syntax (RFC 5321 section 4.1.2)
 * and quoted for it.  Judges form only, never whether an address is wanted.
 */
#include "mail/address.h"
#include "base/error.h"

#include <string.h>

struct strv
address_domain(struct strv address)
{
	size_t at = strv_rfind(address, '@');

	return at == STRV_NPOS ? STRV_EMPTY : strv_skip(address, at + 1);
}

struct strv
address_local(struct strv address)
{
	size_t at = strv_rfind(address, '@');

	return at == STRV_NPOS ? address : strv_head(address, at);
}

bool
address_is_poisoned(struct strv address)
{
	return strv_find(address, '\0') != STRV_NPOS ||
	       strv_find(address, '\r') != STRV_NPOS ||
	       strv_find(address, '\n') != STRV_NPOS;
}

bool
address_breaks_path(struct strv address)
{
	struct strv domain = address_domain(address);

	for (size_t i = 0; i < domain.len; i++) {
		unsigned char c = (unsigned char)domain.ptr[i];

		if (c <= ' ' || c == 127 || strchr("<>\"\\", c) != NULL)
			return true;
	}
	return address_is_poisoned(address);
}

/*
 * Drops "@a,@b:" from the front of a path.  Colons inside [] belong to an
 * address literal; a route that does not end before the path does is none.
 */
static struct strv
skip_route(struct strv path)
{
	bool in_literal = false;

	if (path.len == 0 || path.ptr[0] != '@')
		return path;
	for (size_t i = 1; i < path.len; i++) {
		char c = path.ptr[i];

		if (c == '[' || c == ']')
			in_literal = c == '[';
		else if (c == ':' && !in_literal)
			return strv_skip(path, i + 1);
		else if (c == '>' || c == '"' || c == '\\' || c == ' ')
			break;
	}
	return path;
}

static bool
ends_path(char c, bool bracketed)
{
	return bracketed ? c == '>' : c == ' ' || c == '\t';
}

/* Undoes quoting up to the end of the path; *used counts what it took. */
static int
unquote(struct strv path, bool bracketed, struct buf *out, size_t *used)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < path.len; i++) {
		char c = path.ptr[i];

		if (!quoted && ends_path(c, bracketed))
			break;
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (c == '\\' && ++i == path.len)
			return QE_SYNTAX;
		buf_add_char(out, path.ptr[i]);
	}
	if (quoted || (bracketed && i == path.len))
		return QE_SYNTAX;
	*used = i;
	return out->err;
}

int
address_parse_path(struct strv argument, struct buf *out, bool *brackets_found,
    struct strv *rest)
{
	size_t open = strv_find(argument, '<');
	bool bracketed =
	    open != STRV_NPOS && (open == 0 || argument.ptr[open - 1] != '=');
	struct strv path = bracketed ? strv_skip(argument, open + 1)
				     : strv_trim_blanks(argument);
	size_t before = out->len;
	size_t used;
	int r;

	if (address_is_poisoned(argument))
		return QE_SYNTAX;
	path = skip_route(path);
	r = unquote(path, bracketed, out, &used);
	if (r != 0) {
		buf_truncate(out, before);
		return r;
	}
	*brackets_found = bracketed;
	*rest = strv_skip(path, bracketed ? used + 1 : used);
	return 0;
}

static bool
is_special(char c)
{
	unsigned char u = (unsigned char)c;

	return u <= ' ' || u >= 127 || strchr("\"(),:;<>@[\\]", c) != NULL;
}

static bool
needs_quotes(struct strv local)
{
	if (local.len == 0 || local.ptr[0] == '.' ||
	    local.ptr[local.len - 1] == '.')
		return true;
	for (size_t i = 0; i < local.len; i++) {
		if (is_special(local.ptr[i]))
			return true;
		if (i > 0 && local.ptr[i] == '.' && local.ptr[i - 1] == '.')
			return true;
	}
	return false;
}

static void
add_quoted_string(struct buf *out, struct strv local)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < local.len; i++) {
		char c = local.ptr[i];

		if (c == '\r' || c == '\n' || c == '"' || c == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, c);
	}
	buf_add_char(out, '"');
}

void
address_add_quoted(struct buf *out, struct strv address)
{
	struct strv local = address_local(address);

	if (address.len == 0)
		return;
	if (needs_quotes(local))
		add_quoted_string(out, local);
	else
		buf_add_view(out, local);
	/* The '@' and the domain, or nothing. */
	buf_add_view(out, strv_skip(address, local.len));
}
