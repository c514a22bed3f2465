/* Netstrings: lengths are digits without padding, and never trusted. */
#include "mail/netstring.h"
#include "base/error.h"

enum { DIGITS_MAX = 20 }; /* of a 64-bit length */

void
netstring_add(struct buf *out, struct strv bytes)
{
	buf_add_u64(out, bytes.len);
	buf_add_char(out, ':');
	buf_add_view(out, bytes);
	buf_add_char(out, ',');
}

/* The digits at the front: 0 and the length, or the code to return. */
static int
take_length(struct strv *in, size_t max, size_t *length)
{
	size_t digits = 0;
	uint64_t value;
	int r;

	while (digits < in->len && digits <= DIGITS_MAX &&
	       ascii_is_digit(in->ptr[digits]))
		digits++;
	if (in->len == 0)
		return QE_EOF;
	if (digits == 0 || (digits > 1 && in->ptr[0] == '0'))
		return QE_SYNTAX;
	r = strv_to_u64(strv_head(*in, digits), max, &value);
	if (r != 0)
		return r;
	if (digits == in->len)
		return QE_EOF;
	if (in->ptr[digits] != ':')
		return QE_SYNTAX;
	*in = strv_skip(*in, digits + 1);
	*length = (size_t)value;
	return 0;
}

int
netstring_take(struct strv *in, size_t max, struct strv *out)
{
	struct strv rest = *in;
	size_t length = 0;
	int r = take_length(&rest, max, &length);

	if (r != 0)
		return r;
	if (rest.len <= length)
		return QE_EOF;
	if (rest.ptr[length] != ',')
		return QE_SYNTAX;
	*out = strv_head(rest, length);
	*in = strv_skip(rest, length + 1);
	return 0;
}
