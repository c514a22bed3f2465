/*
 * local part [@ domain], token by token (RFC 822 section 6), more tolerant
 * than strict; see addrlist.h.
 */
#include "mail/addrspec.h"
#include "base/error.h"

size_t
addrspec_skip_comments(const struct token_run *run, size_t at)
{
	while (at < run->count && run->items[at].kind == TOKEN_COMMENT)
		at++;
	return at;
}

void
addrspec_add_comments(
    const struct token_run *run, size_t from, size_t to, struct buf *out)
{
	for (size_t i = from; i < to; i++)
		if (run->items[i].kind == TOKEN_COMMENT) {
			buf_add_char(out, ' ');
			token_add_printed(out, &run->items[i]);
		}
}

/* The kind of the token at *at, comments skipped; TOKEN_END behind all. */
static enum token_kind
kind_at(const struct token_run *run, size_t *at)
{
	size_t here = addrspec_skip_comments(run, *at);

	if (here == run->count)
		return TOKEN_END;
	*at = here;
	return run->items[here].kind;
}

/* No host's name needs a backslash. */
static bool
is_part(const struct token *t, bool in_domain)
{
	if (!in_domain)
		return token_is_word(t);
	return (t->kind == TOKEN_ATOM || t->kind == TOKEN_LITERAL) &&
	       strv_find(t->text, '\\') == STRV_NPOS;
}

/*
 * Words with dots between them.  A word behind a word begins something new.
 * False if there is no word at all.
 */
static bool
take_dotted(const struct token_run *run, size_t *at, bool in_domain,
    struct buf *printed, struct buf *plain)
{
	bool after_word = false, any = false;

	for (;;) {
		enum token_kind kind = kind_at(run, at);
		bool word = kind != TOKEN_END && !after_word &&
			    is_part(&run->items[*at], in_domain);

		if (kind != TOKEN_DOT && !word)
			return any;
		token_add_printed(printed, &run->items[*at]);
		token_add_meaning(plain, &run->items[*at]);
		after_word = word;
		any = any || word;
		(*at)++;
	}
}

static bool
is_empty_literal(struct strv domain)
{
	return strv_eq(domain, STRV("[]"));
}

void
address_rules_add_host(
    const struct address_rules *rules, struct strv host, struct buf *out)
{
	bool plus = host.len > 0 && host.ptr[host.len - 1] == '+';
	bool bare = strv_find(host, '.') == STRV_NPOS && host.len > 0 &&
		    host.ptr[0] != '[';

	host = strv_head(host, host.len - (plus ? 1 : 0));
	buf_add_view(out, host);
	if (!plus && !bare)
		return;
	if (host.len > 0)
		buf_add_char(out, '.');
	buf_add_view(out, plus ? rules->plus_domain : rules->default_domain);
}

/* True, and *at behind it, if "@[]" follows: the end of a VERP sender. */
static bool
take_verp_mark(const struct token_run *run, size_t *at)
{
	size_t here = *at;

	if (kind_at(run, &here) != TOKEN_AT)
		return false;
	here++;
	if (kind_at(run, &here) != TOKEN_LITERAL ||
	    !is_empty_literal(run->items[here].text))
		return false;
	*at = here + 1;
	return true;
}

/* The domain behind '@', completed; "host-@[]" stays what it is. */
static int
take_domain(const struct token_run *run, size_t *at,
    const struct address_rules *rules, struct buf *printed, struct buf *plain)
{
	struct buf domain = BUF_LIMIT(ADDRLIST_ADDRESS_MAX);
	struct buf unused = BUF_LIMIT(ADDRLIST_ADDRESS_MAX * 2);
	int r = 0;

	while (kind_at(run, at) == TOKEN_AT || kind_at(run, at) == TOKEN_DOT)
		(*at)++;
	buf_add_char(printed, '@');
	buf_add_char(plain, '@');
	if (!take_dotted(run, at, true, &unused, &domain))
		r = QE_SYNTAX;
	else if (domain.err != 0 || unused.err != 0)
		r = QE_LIMIT;
	else if (take_verp_mark(run, at)) {
		buf_add_str(&domain, "@[]");
		buf_add_view(printed, buf_view(&domain));
		buf_add_view(plain, buf_view(&domain));
		r = domain.err;
	} else {
		address_rules_add_host(rules, buf_view(&domain), printed);
		address_rules_add_host(rules, buf_view(&domain), plain);
	}
	buf_free(&domain);
	buf_free(&unused);
	return r;
}

static int
add_default_host(
    const struct address_rules *rules, struct buf *printed, struct buf *plain)
{
	buf_add_char(printed, '@');
	address_rules_add_host(rules, rules->default_host, printed);
	buf_add_char(plain, '@');
	address_rules_add_host(rules, rules->default_host, plain);
	return 0;
}

int
addrspec_parse(const struct token_run *run, size_t *at,
    const struct address_rules *rules, struct buf *printed, struct buf *plain)
{
	size_t start = plain->len;
	int r;

	if (!take_dotted(run, at, false, printed, plain))
		return QE_SYNTAX;
	if (kind_at(run, at) == TOKEN_AT) {
		(*at)++;
		r = take_domain(run, at, rules, printed, plain);
		if (r == 0 && kind_at(run, at) == TOKEN_AT)
			r = QE_SYNTAX; /* a@b@c could mean either */
	} else {
		r = add_default_host(rules, printed, plain);
	}
	if (r == 0 && plain->len - start > ADDRLIST_ADDRESS_MAX)
		r = QE_LIMIT;
	if (r == 0)
		r = plain->err != 0 ? plain->err : printed->err;
	return r;
}
