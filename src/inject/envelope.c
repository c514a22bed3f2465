/*
 * Who a message is from and for, as the queue will see it: -f, Return-Path or
 * the environment; arguments, header or both.
 */
#include "inject/envelope.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "mail/address.h"

#include <string.h>
#include <unistd.h>

enum {
	ENVELOPE_RECIPIENTS_MAX = 3 * ADDRLIST_BYTES_MAX,
	ENVELOPE_SENDER_MAX = ADDRLIST_ADDRESS_MAX
};

void
envelope_free(struct envelope *e)
{
	buf_free(&e->sender);
	buf_free(&e->recipients);
}

void
envelope_die_address(int result, struct strv address)
{
	if (result == QE_NOMEM)
		die_nomem();
	die(EX_PERMANENT, "unable to parse address: " STRV_FMT,
	    STRV_ARG(address));
}

int
envelope_parse_one(const struct settings *s, struct strv text, struct buf *out)
{
	struct addrlist list = ADDRLIST_INIT;
	int r = addrlist_parse(text, &s->rules, 0, &list);
	struct strv all = buf_view(&list.addresses);

	if (r == 0 && list.count > 1)
		r = QE_SYNTAX;
	if (r == 0) {
		buf_add_view(out, strv_cut(&all, '\0', NULL));
		r = out->err;
	}
	addrlist_free(&list);
	return r;
}

/* "a@b" is none, but "list-@[]" ends the sender of a mailing list. */
static bool
is_host(struct strv host)
{
	size_t at = strv_find(host, '@');

	return at == STRV_NPOS || strv_eq(strv_skip(host, at), STRV("@[]"));
}

int
envelope_own_address(const struct settings *s, const char *user,
    const char *host, struct buf *out)
{
	struct buf address = BUF_LIMIT(4 * ADDRLIST_ADDRESS_MAX);
	struct buf quoted = BUF_LIMIT(4 * ADDRLIST_ADDRESS_MAX);
	int r;

	buf_add_str(&address, user);
	buf_add_char(&address, '@');
	buf_add_str(&address, host);
	address_add_quoted(&quoted, buf_view(&address));
	r = address.err != 0 ? address.err : quoted.err;
	if (r == 0 && (address_is_poisoned(buf_view(&address)) ||
			  !is_host(strv_of(host))))
		r = QE_SYNTAX;
	if (r == 0)
		r = envelope_parse_one(s, buf_view(&quoted), out);
	buf_free(&address);
	buf_free(&quoted);
	return r;
}

bool
envelope_wants_header(const struct settings *s)
{
	switch (s->source) {
	case FROM_ARGUMENTS:
		return false;
	case FROM_HEADER:
	case FROM_BOTH:
		return true;
	case FROM_DEFAULT:
		break;
	}
	return s->arguments[0] == NULL;
}

/*
 * r and m of $QMAILINJECT change the default sender: user-@host-@[] makes a
 * bounce name its recipient, user-time.pid@host its message.
 */
static void
make_default_sender(const struct settings *s, struct buf *sender)
{
	struct buf plain = BUF_LIMIT(ENVELOPE_SENDER_MAX);
	int r = envelope_own_address(s, s->sender_user, s->sender_host, &plain);
	struct strv whole = buf_view(&plain);

	if (r != 0)
		envelope_die_address(r, strv_of(s->sender_user));
	buf_add_view(sender, address_local(whole));
	if (s->per_message)
		buf_addf(
		    sender, "-%lld.%ld", (long long)s->now, (long)getpid());
	if (s->per_recipient)
		buf_add_char(sender, '-');
	buf_add_char(sender, '@');
	buf_add_view(sender, address_domain(whole));
	if (s->per_recipient)
		buf_add_str(sender, "-@[]");
	buf_free(&plain);
}

static void
make_sender(
    const struct settings *s, const struct rewriting *r, struct buf *sender)
{
	struct strv given = strv_of(s->sender);
	int result = 0;

	sender->max = ENVELOPE_SENDER_MAX;
	if (s->sender != NULL) {
		result = envelope_parse_one(s, given, sender);
	} else if (r->has_return_path) {
		given = buf_view(&r->return_path);
		buf_add_view(sender, given);
		if (s->per_recipient && given.len > 0)
			buf_add_str(sender, "-@[]");
	} else {
		make_default_sender(s, sender);
		given = strv_of(s->sender_user);
	}
	if (result == 0)
		result = sender->err;
	if (result != 0)
		envelope_die_address(result, given);
}

static void
add_arguments(const struct settings *s, struct buf *recipients)
{
	for (size_t i = 0; s->arguments[i] != NULL; i++) {
		struct addrlist list = ADDRLIST_INIT;
		struct strv text = strv_of(s->arguments[i]);
		int r = addrlist_parse(text, &s->rules, 0, &list);

		if (r != 0)
			envelope_die_address(r, text);
		addresses_add_reversed(&list, recipients);
		addrlist_free(&list);
	}
}

void
envelope_make(
    const struct settings *s, const struct rewriting *r, struct envelope *out)
{
	*out = (struct envelope){ .recipients =
				      BUF_LIMIT(ENVELOPE_RECIPIENTS_MAX) };
	make_sender(s, r, &out->sender);
	if (s->source != FROM_HEADER)
		add_arguments(s, &out->recipients);
	buf_add_view(&out->recipients, buf_view(&r->recipients));
	if (out->recipients.err != 0)
		die_nomem();
}
