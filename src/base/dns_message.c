/*
 * DNS messages: what goes out is written here, byte by byte; what comes in is
 * taken apart by the C library's ns_* functions, which know every trick with
 * compressed names, and then believed only where it fits the question.
 */
#include "base/dns_message.h"

#include "base/error.h"

#include <arpa/nameser.h>
#include <resolv.h>
#include <string.h>
#include <sys/socket.h>

enum { LABEL_MAX = 63, OPT_BYTES = 11 };

/* Host names come from mail; these bytes would only mislead somebody. */
static bool
is_name_byte(unsigned char c)
{
	return c > ' ' && c != 0x7f && c != '\\' && c != '"' && c != '(' &&
	       c != ')' && c != ';' && c != '@' && c != '$';
}

/* The wire form of a name: labels, each behind its length. */
static int
encode_name(struct strv name, unsigned char *out, size_t *len)
{
	struct strv label;
	size_t used = 0;

	if (name.len > 1 && name.ptr[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || name.len + 2 > DNS_NAME_MAX)
		return QE_SYNTAX;
	while (name.ptr != NULL) {
		size_t dot = strv_find(name, '.');

		label = strv_head(name, dot);
		if (label.len == 0 || label.len > LABEL_MAX)
			return QE_SYNTAX;
		out[used++] = (unsigned char)label.len;
		for (size_t i = 0; i < label.len; i++) {
			if (!is_name_byte((unsigned char)label.ptr[i]))
				return QE_SYNTAX;
			out[used++] = (unsigned char)label.ptr[i];
		}
		if (dot == STRV_NPOS)
			break;
		name = strv_skip(name, dot + 1);
	}
	out[used++] = 0;
	*len = used;
	return 0;
}

static unsigned char *
put16(unsigned char *p, unsigned n)
{
	p[0] = (unsigned char)(n >> 8);
	p[1] = (unsigned char)(n & 0xff);
	return p + 2;
}

int
dns_query_make(struct strv name, unsigned type, struct dns_query *out)
{
	unsigned char *p = out->bytes;
	size_t len;

	memset(out, 0, sizeof(*out));
	out->type = type;
	if (encode_name(name, p + NS_HFIXEDSZ, &len) < 0)
		return QE_SYNTAX;
	p = put16(p + 2, 0x0100);  /* recursion desired */
	p = put16(p, 1);           /* one question */
	put16(out->bytes + 10, 1); /* and OPT */
	p = put16(out->bytes + NS_HFIXEDSZ + len, type);
	p = put16(p, ns_c_in);
	*p++ = 0; /* OPT belongs to the root */
	p = put16(p, ns_t_opt);
	p = put16(p, DNS_UDP_PAYLOAD);
	memset(p, 0, 6); /* extended code, version, flags, no options */
	out->len = (size_t)(p + 6 - out->bytes);
	if (dn_expand(out->bytes, out->bytes + out->len,
		out->bytes + NS_HFIXEDSZ, out->name, sizeof(out->name)) < 0)
		return QE_SYNTAX;
	return 0;
}

void
dns_query_set_id(struct dns_query *query, unsigned id)
{
	put16(query->bytes, id & 0xffff);
}

void
dns_query_strip_edns(struct dns_query *query)
{
	if (query->bytes[11] == 0)
		return;
	query->bytes[11] = 0;
	query->len -= OPT_BYTES;
}

/* True if the answer repeats our question and nothing else. */
static bool
question_fits(const struct dns_query *query, ns_msg *answer)
{
	ns_rr rr;

	if (ns_msg_count(*answer, ns_s_qd) != 1 ||
	    ns_parserr(answer, ns_s_qd, 0, &rr) < 0)
		return false;
	return ns_rr_type(rr) == query->type && ns_rr_class(rr) == ns_c_in &&
	       strcasecmp(ns_rr_name(rr), query->name) == 0;
}

/* A server that neither knows nor asks others: it sent us elsewhere. */
static bool
is_lame(ns_msg *answer)
{
	return ns_msg_count(*answer, ns_s_an) == 0 &&
	       !ns_msg_getflag(*answer, ns_f_aa) &&
	       !ns_msg_getflag(*answer, ns_f_ra);
}

/*
 * The header and question of a truncated message may be all there is, and some
 * servers answer an error with the bare header: both are read by hand.
 */
static bool
header_fits(
    const struct dns_query *query, const unsigned char *answer, size_t len)
{
	return len >= NS_HFIXEDSZ && answer[0] == query->bytes[0] &&
	       answer[1] == query->bytes[1] && (answer[2] & 0xf8) == 0x80;
}

static enum dns_verdict
judge_error(const struct dns_query *query, int rcode)
{
	bool edns = query->bytes[11] != 0;

	if (edns && (rcode == ns_r_formerr || rcode == ns_r_notimpl))
		return DNS_NO_EDNS;
	return DNS_UNUSABLE;
}

enum dns_verdict
dns_answer_judge(
    const struct dns_query *query, const unsigned char *answer, size_t len)
{
	ns_msg handle;
	int rcode;

	if (len > DNS_ANSWER_MAX || !header_fits(query, answer, len))
		return DNS_FOREIGN;
	rcode = answer[3] & 0x0f;
	if ((answer[2] & 0x02) != 0)
		return DNS_TRUNCATED;
	if (len == NS_HFIXEDSZ && rcode != ns_r_noerror)
		return judge_error(query, rcode);
	/* With the right id from the asked server but no sense in it. */
	if (ns_initparse(answer, (int)len, &handle) < 0)
		return DNS_UNUSABLE;
	if (!question_fits(query, &handle))
		return DNS_FOREIGN;
	if (rcode == ns_r_nxdomain)
		return DNS_GOOD;
	if (rcode != ns_r_noerror)
		return judge_error(query, rcode);
	return is_lame(&handle) ? DNS_UNUSABLE : DNS_GOOD;
}

/* The target of an alias or MX record, in lower case. */
static int
expand_target(ns_msg *answer, const unsigned char *data, char out[DNS_TEXT_MAX])
{
	if (dn_expand(ns_msg_base(*answer), ns_msg_end(*answer), data, out,
		DNS_TEXT_MAX) < 0)
		return QE_TEMP;
	for (char *p = out; *p != '\0'; p++)
		*p = ascii_lower(*p);
	return 0;
}

/*
 * Looks through the answer section for an alias of name; if there is one,
 * name becomes its target and *moved true.
 */
static int
follow_alias(ns_msg *answer, char name[DNS_TEXT_MAX], bool *moved)
{
	int count = ns_msg_count(*answer, ns_s_an);
	ns_rr rr;

	*moved = false;
	for (int i = 0; i < count; i++) {
		if (ns_parserr(answer, ns_s_an, i, &rr) < 0)
			return QE_TEMP;
		if (ns_rr_type(rr) != ns_t_cname ||
		    ns_rr_class(rr) != ns_c_in ||
		    strcasecmp(ns_rr_name(rr), name) != 0)
			continue;
		*moved = true;
		return expand_target(answer, ns_rr_rdata(rr), name);
	}
	return 0;
}

static int
take_mx(ns_msg *answer, const ns_rr *rr, struct dns_found *found)
{
	char name[DNS_TEXT_MAX];
	struct dns_mx *mx = &found->mx[found->mx_count];
	size_t len;

	if (ns_rr_rdlen(*rr) < 3 ||
	    expand_target(answer, ns_rr_rdata(*rr) + 2, name) < 0)
		return QE_TEMP;
	len = strlen(name);
	/* Only a name full of escapes is longer: it cannot be a host. */
	if (len > DNS_NAME_MAX || found->mx_count == DNS_MX_MAX)
		return 0;
	mx->preference = ns_get16(ns_rr_rdata(*rr));
	memcpy(mx->name, name, len + 1);
	found->mx_count++;
	return 0;
}

static int
take_address(const ns_rr *rr, struct dns_found *found)
{
	bool v4 = ns_rr_type(*rr) == ns_t_a;
	struct ipaddr ip;
	int r;

	if (ns_rr_rdlen(*rr) != (v4 ? NS_INADDRSZ : NS_IN6ADDRSZ))
		return QE_TEMP;
	if (found->address_count == DNS_ADDRESSES_MAX)
		return 0;
	ipaddr_set(&ip, v4 ? AF_INET : AF_INET6, ns_rr_rdata(*rr));
	r = ipaddr_list_add(found->addresses, &ip);
	if (r == 0)
		found->address_count++;
	return r;
}

/* All records of the wanted type that belong to name. */
static int
take_records(
    ns_msg *answer, unsigned type, const char *name, struct dns_found *found)
{
	int count = ns_msg_count(*answer, ns_s_an);
	int r = 0;
	ns_rr rr;

	for (int i = 0; i < count && r == 0; i++) {
		if (ns_parserr(answer, ns_s_an, i, &rr) < 0)
			return QE_TEMP;
		if (ns_rr_type(rr) != type || ns_rr_class(rr) != ns_c_in ||
		    strcasecmp(ns_rr_name(rr), name) != 0)
			continue;
		r = type == DNS_MX ? take_mx(answer, &rr, found)
				   : take_address(&rr, found);
	}
	return r;
}

static int
read_answer(
    ns_msg *handle, const struct dns_query *query, struct dns_found *found)
{
	bool moved = true;
	int r;

	for (int i = 0; moved; i++) {
		if (i > DNS_CHAIN_MAX)
			return QE_TEMP;
		r = follow_alias(handle, found->alias, &moved);
		if (r < 0)
			return r;
	}
	r = take_records(handle, query->type, found->alias, found);
	if (r < 0)
		return r;
	if (found->mx_count > 0 || found->address_count > 0)
		return 0;
	if (ns_msg_getflag(*handle, ns_f_rcode) == ns_r_nxdomain)
		return QE_DENIED;
	return strcasecmp(found->alias, query->name) == 0 ? QE_ABSENT : QE_EOF;
}

int
dns_answer_read(const struct dns_query *query, const unsigned char *answer,
    size_t len, struct dns_found *found)
{
	ns_msg handle;
	int r;

	memcpy(found->alias, query->name, sizeof(found->alias));
	found->mx_count = 0;
	found->address_count = 0;
	if (ns_initparse(answer, (int)len, &handle) < 0)
		return QE_TEMP;
	r = read_answer(&handle, query, found);
	/* Half an answer is none. */
	if (r < 0 && found->addresses != NULL)
		found->addresses->count -= found->address_count;
	return r;
}
