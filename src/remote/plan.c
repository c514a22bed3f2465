/*
 * control/smtprelays, smtproutes, qmtproutes and outgoingip (qmail-remote(8)).
 *
 * Each file may name a host that a later file knows: a virtual relay.  Keys
 * that tell of the message (addresses, senders, the empty one) are asked for
 * only until some file has named a relay; what a relay is, its name tells.
 */
#include "remote/plan.h"

#include "base/error.h"
#include "conf/hosts.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 1024 }; /* bytes of a key with an address in it */

struct question {
	const struct config *config;
	struct strv sender, recipient;
	struct control_error *err;
};

static const char *const methods[] = { "plain", "login", "cram-md5",
	"cram-sha1", "cram-ripemd", "scram-sha-256" };

int
plan_check_method(struct strv method)
{
	if (method.len == 0)
		return 0;
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (strv_eq_nocase(method, strv_of(methods[i])))
			return 0;
	return QE_SYNTAX;
}

static int
bad_line(const struct question *q, enum ctl file,
    const struct control_entry *entry, const char *why)
{
	snprintf(q->err->text, sizeof(q->err->text), "control/%s line %u: %s",
	    control_name(file), entry->line, why);
	return QE_SYNTAX;
}

/* "<address>", "<@domain>" or "<@.suffix>": 0, QE_ABSENT, QE_NOMEM. */
static int
find_bracketed(const struct control_set *set, struct strv inner,
    const struct control_entry **out)
{
	struct buf key = BUF_LIMIT(KEY_MAX);

	buf_add_char(&key, '<');
	buf_add_view(&key, inner);
	buf_add_char(&key, '>');
	*out = key.err == 0 ? control_set_find(set, buf_view(&key)) : NULL;
	if (key.err == QE_NOMEM) {
		buf_free(&key);
		return QE_NOMEM;
	}
	buf_free(&key);
	return *out == NULL ? QE_ABSENT : 0;
}

/* A part of a domain that begins with a dot, as "@.part". */
static int
find_sender_suffix(const struct control_set *set, struct strv suffix,
    const struct control_entry **out)
{
	char inner[KEY_MAX];

	if (suffix.len >= sizeof(inner))
		return QE_ABSENT;
	inner[0] = '@';
	memcpy(inner + 1, suffix.ptr, suffix.len);
	return find_bracketed(set, strv_from(inner, suffix.len + 1), out);
}

static int
find_sender(const struct control_set *set, struct strv sender,
    const struct control_entry **out)
{
	size_t at = strv_rfind(sender, '@');
	int r = find_bracketed(set, sender, out);

	if (r != QE_ABSENT || at == STRV_NPOS)
		return r;
	r = find_bracketed(set, strv_skip(sender, at), out);
	for (size_t i = at + 2; r == QE_ABSENT && i < sender.len; i++)
		if (sender.ptr[i] == '.')
			r = find_sender_suffix(set, strv_skip(sender, i), out);
	return r;
}

/* The line for this message, the most telling key first; NULL: none. */
static int
find_entry(const struct question *q, const struct control_set *set,
    const struct plan *plan, const struct control_entry **out)
{
	int r;

	*out = NULL;
	if (set->count == 0)
		return 0;
	if (!plan->relayed && strv_find(q->recipient, '@') != STRV_NPOS)
		*out = control_set_find(set, q->recipient);
	if (*out == NULL)
		*out = hosts_find_domain(set, plan->name, false);
	if (*out != NULL || plan->relayed)
		return 0;
	r = find_sender(set, q->sender, out);
	if (r == QE_NOMEM)
		return r;
	if (*out == NULL)
		*out = control_set_find(set, STRV_EMPTY);
	return 0;
}

/* "relay", "relay:port", "[ipv6]:port": 0 or QE_SYNTAX. */
static int
parse_relay(struct strv value, uint16_t port, struct plan *plan)
{
	size_t colon = strv_rfind(value, ':');
	size_t bracket = strv_rfind(value, ']');
	struct ipaddr ip;
	uint64_t number;

	plan->name = value;
	plan->port = port;
	plan->relayed = true;
	if (ipaddr_parse(value, &ip) == 0 || colon == STRV_NPOS ||
	    (bracket != STRV_NPOS && bracket > colon))
		return 0;
	plan->name = strv_head(value, colon);
	if (strv_to_u64(strv_skip(value, colon + 1), UINT16_MAX, &number) < 0 ||
	    number == 0 || plan->name.len == 0)
		return QE_SYNTAX;
	plan->port = (uint16_t)number;
	return 0;
}

/*
 * "host|user|password|method".  The password is what stands between the
 * second bar and the last one, so it may hold bars itself.
 */
static int
take_login(const struct question *q, const struct control_entry *entry,
    struct strv rest, struct plan *plan)
{
	size_t last;

	plan->user = strv_cut(&rest, '|', NULL);
	last = strv_rfind(rest, '|');
	plan->password = last == STRV_NPOS ? rest : strv_head(rest, last);
	plan->method = last == STRV_NPOS
			   ? STRV_EMPTY
			   : strv_trim_blanks(strv_skip(rest, last + 1));
	if (plan->user.len == 0 && plan->password.len > 0)
		return bad_line(
		    q, CTL_SMTPRELAYS, entry, "a password without a user");
	if (plan->user.len > 0 && plan->password.len == 0)
		return bad_line(
		    q, CTL_SMTPRELAYS, entry, "a user without a password");
	if (plan_check_method(plan->method) < 0)
		return bad_line(q, CTL_SMTPRELAYS, entry,
		    "no such method; plain login cram-md5 cram-sha1 "
		    "cram-ripemd scram-sha-256 are known");
	return 0;
}

static int
ask_smtprelays(const struct question *q, struct plan *plan)
{
	const struct control_entry *entry;
	struct strv rest, relay;
	bool bar;
	int r = find_entry(q, &q->config->smtprelays, plan, &entry);

	if (r < 0 || entry == NULL)
		return r;
	rest = entry->value;
	relay = strv_trim_blanks(strv_cut(&rest, '|', &bar));
	if (relay.len == 0)
		return 0; /* not by a relay of this file */
	if (parse_relay(relay, PLAN_SMTP_PORT, plan) < 0)
		return bad_line(
		    q, CTL_SMTPRELAYS, entry, "no relay or no port");
	return bar ? take_login(q, entry, rest, plan) : 0;
}

/* *ends: the line says that no other file is to be asked. */
static int
ask_smtproutes(const struct question *q, struct plan *plan, bool *ends)
{
	const struct control_entry *entry;
	struct strv relay;
	int r = find_entry(q, &q->config->smtproutes, plan, &entry);

	*ends = false;
	if (r < 0 || entry == NULL)
		return r;
	relay = strv_trim_blanks(entry->value);
	if (relay.len == 0) {
		*ends = true;
		plan->relayed = false; /* by its exchangers, then */
		return 0;
	}
	if (parse_relay(relay, PLAN_SMTP_PORT, plan) < 0)
		return bad_line(
		    q, CTL_SMTPROUTES, entry, "no relay or no port");
	return 0;
}

static int
ask_qmtproutes(const struct question *q, struct plan *plan)
{
	const struct control_entry *entry;
	struct strv relay;
	int r = find_entry(q, &q->config->qmtproutes, plan, &entry);

	if (r < 0 || entry == NULL)
		return r;
	relay = strv_trim_blanks(entry->value);
	if (relay.len == 0)
		return 0;
	if (plan->user.len > 0)
		return bad_line(q, CTL_QMTPROUTES, entry,
		    "QMTP knows no passwords, and smtprelays has one for "
		    "this relay");
	if (parse_relay(relay, PLAN_QMTP_PORT, plan) < 0)
		return bad_line(
		    q, CTL_QMTPROUTES, entry, "no relay or no port");
	plan->protocol = PLAN_QMTP;
	return 0;
}

/* Keeps the address if this family has none yet.  0.0.0.0 and :: free it. */
static void
take_source(struct plan *plan, const struct ipaddr *ip)
{
	struct ipaddr *slot =
	    ip->family == AF_INET ? &plan->from4 : &plan->from6;

	if (slot->family == 0)
		*slot = *ip;
}

/* The lines of outgoingip for this key; an empty one: those without. */
static int
take_sources(const struct question *q, struct strv key, struct plan *plan)
{
	const struct control_set *set = &q->config->outgoingip;

	for (size_t i = 0; i < set->count; i++) {
		struct strv value = set->entries[i].key;
		struct strv domain = STRV_EMPTY;
		struct ipaddr ip;

		if (ipaddr_parse(value, &ip) < 0)
			domain = strv_cut(&value, ':', NULL);
		if (!strv_eq_nocase(domain, key))
			continue;
		if (ipaddr_parse(strv_trim_blanks(value), &ip) < 0)
			return bad_line(
			    q, CTL_OUTGOINGIP, &set->entries[i], "no address");
		take_source(plan, &ip);
	}
	return 0;
}

static int
ask_outgoingip(const struct question *q, struct plan *plan)
{
	size_t at = strv_rfind(q->sender, '@');
	struct strv domain =
	    at == STRV_NPOS ? STRV_EMPTY : strv_skip(q->sender, at + 1);
	int r = 0;

	if (q->config->outgoingip.count == 0)
		return 0;
	if (domain.len > 0)
		r = take_sources(q, domain, plan);
	for (size_t i = 1; r == 0 && i < domain.len; i++)
		if (domain.ptr[i] == '.')
			r = take_sources(q, strv_skip(domain, i), plan);
	return r == 0 ? take_sources(q, STRV_EMPTY, plan) : r;
}

/* "host." is the same host, and no way around its lines. */
static struct strv
without_final_dot(struct strv host)
{
	if (host.len > 1 && host.ptr[host.len - 1] == '.')
		host.len--;
	return host;
}

int
plan_make(const struct config *config, struct strv host, struct strv sender,
    struct strv recipient, struct plan *out, struct control_error *err)
{
	struct question q = { config, sender, recipient, err };
	struct plan plan = { .protocol = PLAN_SMTP,
		.name = without_final_dot(host),
		.port = PLAN_SMTP_PORT };
	bool ends = false;
	int r = ask_smtprelays(&q, &plan);

	if (r == 0)
		r = ask_smtproutes(&q, &plan, &ends);
	if (r == 0 && !ends)
		r = ask_qmtproutes(&q, &plan);
	if (r == 0)
		r = ask_outgoingip(&q, &plan);
	if (r == 0)
		*out = plan;
	return r;
}

static bool
is_recipient_key(const struct control_set *set, struct strv recipient)
{
	return strv_find(recipient, '@') != STRV_NPOS &&
	       control_set_find(set, recipient) != NULL;
}

bool
plan_is_for_recipient(const struct config *config, struct strv recipient)
{
	return is_recipient_key(&config->smtprelays, recipient) ||
	       is_recipient_key(&config->smtproutes, recipient) ||
	       is_recipient_key(&config->qmtproutes, recipient);
}

static void
add_source(const struct ipaddr *ip, struct buf *out)
{
	char text[IPADDR_TEXT_MAX] = "*";

	if (ip->family != 0)
		ipaddr_format(ip, text);
	buf_addf(out, " %s", text);
}

void
plan_add_key(const struct plan *plan, struct buf *out)
{
	buf_addf(out, "%d %d %u ", (int)plan->protocol, plan->relayed,
	    (unsigned)plan->port);
	buf_add_lower(out, plan->name);
	add_source(&plan->from4, out);
	add_source(&plan->from6, out);
	buf_add_char(out, ' ');
	buf_add_view(out, plan->method);
	buf_add_char(out, ' ');
	buf_add_view(out, plan->user);
}
