/* Questions to p0f and its answers; numbers are in the host's byte order. */
#include "smtp/p0f.h"
#include "base/error.h"

#include <string.h>

enum {
	ADDRESS_IPV4 = 4,
	ADDRESS_IPV6 = 6,
	STATUS_OK = 0x10,
	STATUS_NO_MATCH = 0x20,
	/* Places in the answer. */
	AT_STATUS = 4,
	AT_UPTIME_MIN = 20,
	AT_DISTANCE = 36,
	AT_OS_NAME = 40,
	AT_OS_FLAVOR = AT_OS_NAME + P0F_FIELD_BYTES,
	AT_LINK = AT_OS_NAME + 4 * P0F_FIELD_BYTES,
	MINUTES = 60
};

static const uint32_t QUESTION_MAGIC = 0x50304601;
static const uint32_t ANSWER_MAGIC = 0x50304602;

void
p0f_question(const struct ipaddr *ip, unsigned char out[P0F_QUESTION_BYTES])
{
	memset(out, 0, P0F_QUESTION_BYTES);
	memcpy(out, &QUESTION_MAGIC, sizeof(QUESTION_MAGIC));
	out[4] = ip->family == AF_INET ? ADDRESS_IPV4 : ADDRESS_IPV6;
	memcpy(out + 5, ip->bytes, ip->family == AF_INET ? 4 : 16);
}

static uint32_t
number(const unsigned char *in, size_t at)
{
	uint32_t n;

	memcpy(&n, in + at, sizeof(n));
	return n;
}

/* A text of the answer, up to its NUL or its end. */
static struct strv
text(const unsigned char *in, size_t at)
{
	struct strv all = strv_from((const char *)in + at, P0F_FIELD_BYTES);

	return strv_trim_blanks(strv_head(all, strv_find(all, '\0')));
}

static void
add_printable(struct buf *out, struct strv v)
{
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.ptr[i];

		buf_add_char(out, c >= ' ' && c < 0x7f ? (char)c : '?');
	}
}

/* " (distance 3, up 12 h, DSL)", as far as it is known. */
static void
add_details(struct buf *out, const unsigned char *in)
{
	const char *separator = " (";
	struct strv link = text(in, AT_LINK);
	uint32_t uptime = number(in, AT_UPTIME_MIN);
	int16_t distance;

	memcpy(&distance, in + AT_DISTANCE, sizeof(distance));
	if (distance >= 0) {
		buf_addf(out, "%sdistance %d", separator, distance);
		separator = ", ";
	}
	if (uptime > 0) {
		buf_addf(out, "%sup %u h", separator, uptime / MINUTES);
		separator = ", ";
	}
	if (link.len > 0) {
		buf_add_str(out, separator);
		add_printable(out, link);
		separator = ", ";
	}
	if (separator[0] == ',')
		buf_add_char(out, ')');
}

int
p0f_answer_parse(
    const unsigned char in[P0F_ANSWER_BYTES], struct buf *os, struct buf *about)
{
	struct strv name = text(in, AT_OS_NAME);
	struct strv flavor = text(in, AT_OS_FLAVOR);
	uint32_t status = number(in, AT_STATUS);

	if (number(in, 0) != ANSWER_MAGIC ||
	    (status != STATUS_OK && status != STATUS_NO_MATCH))
		return QE_SYNTAX;
	if (status == STATUS_NO_MATCH || name.len == 0)
		return QE_ABSENT;
	add_printable(os, name);
	if (flavor.len > 0)
		buf_add_char(os, ' ');
	add_printable(os, flavor);
	buf_add_view(about, buf_view(os));
	add_details(about, in);
	return os->err != 0 ? os->err : about->err;
}
