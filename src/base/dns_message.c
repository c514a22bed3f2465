/*
 * DNS messages: what goes out is written here, byte by byte; what comes in is
 * walked through record by record, and believed only where it fits the
 * question.  Names are read by the C library's dn_expand, which knows every
 * trick with compression.
 */
#include "base/dns_message.h"

#include "base/error.h"

#include <arpa/nameser.h>
#include <resolv.h>
#include <string.h>
#include <sys/socket.h>

enum {
	LABEL_MAX = 63,
	OPT_BYTES = 11,
	NAME_STEPS_MAX = 256 /* labels and pointers of one name */
};

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
	/* Recursion desired; and AD: tell us what DNSSEC says, RFC 6840. */
	p = put16(p + 2, 0x0120);
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

/* A record of an answer, or a walk over them: at moves, left counts down. */
struct walk {
	const unsigned char *start, *end, *at;
	unsigned left;
};

struct record {
	char name[DNS_TEXT_MAX];
	unsigned type, class, len;
	const unsigned char *data;
};

static unsigned
get16(const unsigned char *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

/*
 * dn_expand follows pointers for as long as there are bytes in the message,
 * which thousands of records may ask of it.  No honest name has more labels
 * and pointers than this.
 */
static bool
is_name(const struct walk *w, const unsigned char *name)
{
	size_t len = (size_t)(w->end - w->start);
	size_t at = (size_t)(name - w->start);

	for (int i = 0; i < NAME_STEPS_MAX && at < len; i++) {
		unsigned first = w->start[at];

		if (first == 0)
			return true;
		if ((first & 0xc0) == 0)
			at += 1 + first;
		else if (at + 1 < len)
			at = get16(w->start + at) & 0x3fff;
		else
			return false;
	}
	return false;
}

static int
expand(const struct walk *w, const unsigned char *at, char out[DNS_TEXT_MAX])
{
	return is_name(w, at)
		   ? dn_expand(w->start, w->end, at, out, DNS_TEXT_MAX)
		   : -1;
}

/* A name, wherever in the message its pieces are: 0 or QE_TEMP. */
static int
walk_name(struct walk *w, char out[DNS_TEXT_MAX])
{
	int n = expand(w, w->at, out);

	if (n < 0)
		return QE_TEMP;
	w->at += n;
	return 0;
}

/* 0, QE_EOF after the last record, QE_TEMP if the message is malformed. */
static int
walk_record(struct walk *w, struct record *out)
{
	if (w->left == 0)
		return QE_EOF;
	w->left--;
	if (walk_name(w, out->name) < 0 ||
	    (size_t)(w->end - w->at) < NS_RRFIXEDSZ)
		return QE_TEMP;
	out->type = get16(w->at);
	out->class = get16(w->at + 2);
	out->len = get16(w->at + 8);
	out->data = w->at + NS_RRFIXEDSZ;
	if ((size_t)(w->end - out->data) < out->len)
		return QE_TEMP;
	w->at = out->data + out->len;
	return 0;
}

/*
 * Begins at the answer section.  QE_TEMP unless the message repeats our
 * question and nothing else.
 */
static int
walk_begin(struct walk *w, const struct dns_query *query,
    const unsigned char *answer, size_t len)
{
	char name[DNS_TEXT_MAX];

	if (len < NS_HFIXEDSZ || get16(answer + 4) != 1)
		return QE_TEMP;
	*w = (struct walk){ answer, answer + len, answer + NS_HFIXEDSZ,
		get16(answer + 6) };
	if (walk_name(w, name) < 0 || (size_t)(w->end - w->at) < NS_QFIXEDSZ ||
	    get16(w->at) != query->type || get16(w->at + 2) != ns_c_in ||
	    strcasecmp(name, query->name) != 0)
		return QE_TEMP;
	w->at += NS_QFIXEDSZ;
	return 0;
}

/* A server that neither knows nor asks others: it sent us elsewhere. */
static bool
is_lame(const unsigned char *answer)
{
	bool authoritative = (answer[2] & 0x04) != 0;
	bool recursive = (answer[3] & 0x80) != 0;

	return get16(answer + 6) == 0 && !authoritative && !recursive;
}

/*
 * An answer, as far as its header tells.  Some servers answer an error with
 * the bare header.
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
	struct walk walk;
	int rcode;

	if (len > DNS_ANSWER_MAX || !header_fits(query, answer, len))
		return DNS_FOREIGN;
	rcode = answer[3] & 0x0f;
	if (len == NS_HFIXEDSZ && rcode != ns_r_noerror)
		return judge_error(query, rcode);
	if (walk_begin(&walk, query, answer, len) < 0)
		return DNS_FOREIGN;
	if ((answer[2] & 0x02) != 0)
		return DNS_TRUNCATED;
	if (rcode == ns_r_nxdomain)
		return DNS_GOOD;
	if (rcode != ns_r_noerror)
		return judge_error(query, rcode);
	return is_lame(answer) ? DNS_UNUSABLE : DNS_GOOD;
}

bool
dns_answer_is_secure(const unsigned char *answer)
{
	return (answer[3] & 0x20) != 0;
}

/* The target of an alias or MX record, in lower case. */
static int
expand_target(const struct walk *w, const unsigned char *data,
    const struct record *record, char out[DNS_TEXT_MAX])
{
	int n = expand(w, data, out);

	/* The name must end where its record ends. */
	if (n < 0 || data + n != record->data + record->len)
		return QE_TEMP;
	for (char *p = out; *p != '\0'; p++)
		*p = ascii_lower(*p);
	return 0;
}

static bool
is_of(const struct record *record, const char *name, unsigned type)
{
	return record->type == type && record->class == ns_c_in &&
	       strcasecmp(record->name, name) == 0;
}

/*
 * Looks through the answer section for an alias of name; if there is one,
 * name becomes its target and *moved true.
 */
static int
follow_alias(struct walk w, char name[DNS_TEXT_MAX], bool *moved)
{
	struct record record;
	int r;

	*moved = false;
	while ((r = walk_record(&w, &record)) == 0) {
		if (!is_of(&record, name, ns_t_cname))
			continue;
		*moved = true;
		return expand_target(&w, record.data, &record, name);
	}
	return r == QE_EOF ? 0 : r;
}

static int
take_mx(
    const struct walk *w, const struct record *record, struct dns_found *found)
{
	char name[DNS_TEXT_MAX];
	struct dns_mx *mx = &found->mx[found->mx_count];
	size_t len;

	if (record->len < 3 ||
	    expand_target(w, record->data + 2, record, name) < 0)
		return QE_TEMP;
	len = strlen(name);
	/* Only a name full of escapes is longer: it cannot be a host. */
	if (len > DNS_NAME_MAX || found->mx_count == DNS_MX_MAX)
		return 0;
	mx->preference = get16(record->data);
	memcpy(mx->name, name, len + 1);
	found->mx_count++;
	return 0;
}

static int
take_address(const struct record *record, struct dns_found *found)
{
	bool v4 = record->type == ns_t_a;
	struct ipaddr ip;
	int r;

	if (record->len != (v4 ? NS_INADDRSZ : NS_IN6ADDRSZ))
		return QE_TEMP;
	if (found->address_count == DNS_ADDRESSES_MAX)
		return 0;
	ipaddr_set(&ip, v4 ? AF_INET : AF_INET6, record->data);
	r = ipaddr_list_add(found->addresses, &ip);
	if (r == 0)
		found->address_count++;
	return r;
}

/* The strings of the first record; each has its length in front. */
static int
take_text(const struct record *record, struct dns_found *found)
{
	const unsigned char *at = record->data;
	const unsigned char *end = at + record->len;

	if (found->text_count++ > 0)
		return 0;
	while (at < end) {
		size_t len = *at++;
		size_t room = found->text->max - found->text->len;

		if (len > (size_t)(end - at))
			return QE_TEMP;
		buf_add(found->text, (const char *)at, len < room ? len : room);
		at += len;
	}
	return found->text->err;
}

static int
take_raw(const struct record *record, struct dns_found *found)
{
	if (found->raw_count == DNS_RAW_MAX)
		return 0;
	buf_add_char(found->raw, (char)(record->len >> 8));
	buf_add_char(found->raw, (char)(record->len & 0xff));
	buf_add(found->raw, (const char *)record->data, record->len);
	found->raw_count++;
	return found->raw->err;
}

/* TXT goes where the caller wants it. */
static int
take_record(
    const struct walk *w, const struct record *record, struct dns_found *found)
{
	switch (record->type) {
	case DNS_MX:
		return take_mx(w, record, found);
	case DNS_A:
	case DNS_AAAA:
		return take_address(record, found);
	default:
		return found->text != NULL ? take_text(record, found)
					   : take_raw(record, found);
	}
}

/* All records of the wanted type that belong to name. */
static int
take_records(
    struct walk w, unsigned type, const char *name, struct dns_found *found)
{
	struct record record;
	int r;

	while ((r = walk_record(&w, &record)) == 0) {
		if (!is_of(&record, name, type))
			continue;
		r = take_record(&w, &record, found);
		if (r < 0)
			return r;
	}
	return r == QE_EOF ? 0 : r;
}

static int
read_answer(const struct walk *walk, const struct dns_query *query,
    struct dns_found *found)
{
	bool moved = true;
	int r;

	for (int i = 0; moved; i++) {
		if (i > DNS_CHAIN_MAX)
			return QE_TEMP;
		r = follow_alias(*walk, found->alias, &moved);
		if (r < 0)
			return r;
	}
	r = take_records(*walk, query->type, found->alias, found);
	if (r < 0)
		return r;
	if (found->mx_count > 0 || found->address_count > 0 ||
	    found->text_count > 0 || found->raw_count > 0)
		return 0;
	if ((walk->start[3] & 0x0f) == ns_r_nxdomain)
		return QE_DENIED;
	return strcasecmp(found->alias, query->name) == 0 ? QE_ABSENT : QE_EOF;
}

int
dns_answer_read(const struct dns_query *query, const unsigned char *answer,
    size_t len, struct dns_found *found)
{
	struct walk walk;
	int r;

	memcpy(found->alias, query->name, sizeof(found->alias));
	found->mx_count = 0;
	found->address_count = 0;
	found->text_count = 0;
	found->raw_count = 0;
	if (walk_begin(&walk, query, answer, len) < 0)
		return QE_TEMP;
	r = read_answer(&walk, query, found);
	/* Half an answer is none. */
	if (r < 0 && found->addresses != NULL)
		found->addresses->count -= found->address_count;
	if (r < 0 && found->raw != NULL)
		buf_reset(found->raw);
	return r;
}
