/*
 * Lists of addresses in the DNS: names, answers, and one decision from all of
 * them.  The order of the options counts, not that of the answers, so that
 * the same client is always told the same.
 */
#include "smtp/rbl.h"
#include "base/error.h"

int
rbl_source_parse(struct strv option, bool is_anti, struct rbl_source *out)
{
	struct dns_query query;
	bool has_text;
	struct strv rest = option;
	struct strv zone = strv_cut(&rest, ':', &has_text);

	if (dns_query_make(zone, DNS_A, &query) != 0)
		return QE_SYNTAX;
	if (has_text && strv_trim_blanks(rest).len == 0)
		return QE_SYNTAX;
	*out = (struct rbl_source){
		.is_anti = is_anti,
		.zone = zone,
		.text = rest,
		/* Nobody is told why he is welcome. */
		.asks_address = has_text || is_anti,
	};
	return 0;
}

static void
add_nibbles(const struct ipaddr *ip, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = sizeof(ip->bytes); i > 0; i--) {
		unsigned byte = ip->bytes[i - 1];

		buf_addf(out, "%c.%c.", digits[byte & 0x0f], digits[byte >> 4]);
	}
}

void
rbl_name(const struct ipaddr *ip, struct strv zone, struct buf *out)
{
	const unsigned char *b = ip->bytes;

	if (ip->family == AF_INET)
		buf_addf(out, "%u.%u.%u.%u.", b[3], b[2], b[1], b[0]);
	else
		add_nibbles(ip, out);
	buf_add_view(out, zone);
}

/* The best that a set of addresses says. */
static int
judge_addresses(const struct rbl_source *source, const struct ipaddr_list *list)
{
	int result = QE_TEMP;

	for (size_t i = 0; i < list->count; i++) {
		const unsigned char *b = list->items[i].bytes;
		bool trouble = b[0] == 127 && b[1] == 255 && b[2] == 255;

		if (trouble)
			return QE_TEMP;
		if (b[0] == 127 || source->is_anti)
			result = 0;
	}
	return result;
}

int
rbl_answer(const struct rbl_source *source, const struct dns_question *q)
{
	if (!q->done)
		return QE_TEMP;
	if (q->result == QE_DENIED)
		return QE_ABSENT;
	if (q->result != 0 || !source->asks_address)
		return q->result;
	return judge_addresses(source, q->found.addresses);
}

void
rbl_text(struct strv text, struct strv ip, char out[RBL_TEXT_MAX + 1])
{
	const struct strv mark = STRV("%IP%");
	struct buf said = BUF_LIMIT(8 * RBL_TEXT_MAX);
	size_t n = 0;

	while (text.len > 0 && said.len <= RBL_TEXT_MAX) {
		if (strv_starts(text, mark)) {
			buf_add_view(&said, ip);
			text = strv_skip(text, mark.len);
			continue;
		}
		buf_add_char(&said, text.ptr[0]);
		text = strv_skip(text, 1);
	}
	for (; n < said.len && n < RBL_TEXT_MAX; n++) {
		char c = said.data[n];

		out[n] = c >= ' ' && c < 127 ? c : '?';
	}
	out[n] = '\0';
	buf_free(&said);
}

static void
block(struct rbl_verdict *out, const struct rbl_policy *policy, bool doubtful,
    struct strv text, struct strv ip)
{
	out->kind = RBL_LISTED;
	out->code = policy->permanent && !doubtful ? 553 : 451;
	rbl_text(text, ip, out->text);
}

bool
rbl_decide(const struct rbl_source *sources,
    const struct dns_question *questions, size_t count,
    const struct rbl_policy *policy, bool is_over, struct strv ip,
    struct rbl_verdict *out)
{
	bool doubtful = false; /* an anti-RBL might have saved it */

	*out = (struct rbl_verdict){ .kind = RBL_CLEAN };
	for (size_t i = 0; i < count; i++) {
		const struct rbl_source *source = &sources[i];
		int r = rbl_answer(source, &questions[i]);

		if (!questions[i].done && !is_over)
			return false;
		if (r == QE_ABSENT)
			continue;
		if (source->is_anti) {
			if (r == 0 || !policy->closed)
				return true;
			doubtful = true;
		} else if (r == 0) {
			block(out, policy, doubtful,
			    source->asks_address
				? source->text
				: buf_view(questions[i].found.text),
			    ip);
			return true;
		} else if (policy->closed) {
			block(out, policy, true,
			    STRV("temporary failure in DNS, try again later"),
			    ip);
			out->kind = RBL_DOUBT;
			return true;
		}
	}
	return true;
}
