/*
 * "FROM:<address> parameters": the keyword and its colon are checked here,
 * the path itself is mail/address.h's.
 */
#include "smtpd/path.h"
#include "base/error.h"
#include "base/net.h"
#include "mail/address.h"
#include "smtpd/log.h"

/* What follows "FROM:"; without the keyword, *found is false. */
static struct strv
behind_keyword(struct strv argument, struct strv keyword, bool *found)
{
	struct strv rest = argument;
	struct strv word = strv_trim_blanks(strv_cut(&rest, ':', found));

	*found = *found && strv_eq_nocase(word, keyword);
	return strv_trim_blanks(rest);
}

int
path_parse(const struct path_rules *rules, struct strv argument,
    struct buf *out, struct strv *parameters)
{
	bool has_keyword, has_brackets = false;
	struct strv path =
	    behind_keyword(argument, rules->keyword, &has_keyword);
	int r;

	if (!has_keyword)
		return QE_SYNTAX;
	if (rules->needs_brackets && !strv_starts(path, STRV("<")))
		return QE_DENIED;
	r = address_parse_path(path, out, &has_brackets, parameters);
	if (r != 0)
		return r;
	if (rules->needs_brackets && !has_brackets)
		return QE_DENIED;
	if (address_is_poisoned(buf_view(out)))
		return QE_SYNTAX;
	return out->err;
}

struct reply
path_refusal(const struct path_rules *rules, int result)
{
	if (result == QE_LIMIT)
		return reply_make(
		    553, rules->too_long, "sorry, that address is too long");
	if (result == QE_DENIED)
		return reply_make(501, "5.5.4",
		    "syntax error, I need an address in <brackets>");
	if (result == QE_NOMEM)
		return reply_make(451, "4.3.0", "out of memory");
	return reply_make(501, "5.5.4", "syntax error in address");
}

/* 0 own, QE_ABSENT not, QE_SYS or QE_NOMEM. */
static int
is_own_ip(const struct session *s, const struct ipaddr *ip)
{
	struct ipaddr_list own = { .items = NULL };
	struct ipaddr local;
	int r;

	/* The address that was called is surely ours, and costs nothing. */
	if (ipaddr_parse(s->peer.local_ip, &local) == 0 &&
	    ipaddr_eq(&local, ip))
		return 0;
	r = ipaddr_list_own(&own);
	if (r == 0)
		r = ipaddr_list_has(&own, ip) ? 0 : QE_ABSENT;
	ipaddr_list_free(&own);
	return r;
}

/* Puts host in place of the domain. */
static struct reply
replace_domain(struct buf *address, struct strv host)
{
	size_t domain = address_domain(buf_view(address)).len;

	if (host.len == 0)
		return (struct reply){ .code = 0 };
	buf_truncate(address, address->len - domain);
	buf_add_view(address, host);
	if (address->err != 0)
		return reply_make(451, "4.3.0", "unable to use localiphost");
	return (struct reply){ .code = 0 };
}

struct reply
path_localize(const struct session *s, struct buf *address)
{
	struct strv domain = address_domain(buf_view(address));
	struct buf host = BUF_LIMIT(ADDRESS_BYTES_MAX);
	struct control_error err;
	struct reply refusal = { .code = 0 };
	struct ipaddr ip;
	int r;

	if (!strv_starts(domain, STRV("[")) || ipaddr_parse(domain, &ip) != 0)
		return refusal;
	r = is_own_ip(s, &ip);
	if (r == QE_ABSENT)
		return refusal;
	if (r != 0)
		return session_farewell(
		    421, "4.3.0", "unable to figure out my IP addresses");
	r = control_line(CTL_LOCALIPHOST, &host, &err);
	if (r == 0) {
		refusal = replace_domain(address, buf_view(&host));
	} else if (r != QE_ABSENT) {
		log_trouble(s, err.text);
		refusal =
		    session_farewell(421, "4.3.0", "unable to read controls");
	}
	buf_free(&host);
	return refusal;
}
