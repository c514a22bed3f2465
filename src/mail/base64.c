/* Base64: no blanks, no line ends, and nothing left over. */
#include "mail/base64.h"
#include "base/error.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* By arithmetic, not by a table: the text may be a password. */
static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

static void
encode_group(struct buf *out, struct strv bytes)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 3; i++)
		bits = bits << 8 |
		       (i < bytes.len ? (unsigned char)bytes.ptr[i] : 0);
	for (size_t i = 0; i < 4; i++)
		buf_add_char(out,
		    i > bytes.len ? '=' : alphabet[bits >> (18 - 6 * i) & 63]);
}

void
base64_encode(struct buf *out, struct strv bytes)
{
	for (; bytes.len > 0; bytes = strv_skip(bytes, 3))
		encode_group(out, strv_head(bytes, 3));
}

/* Four characters at text, of which the last padding ones are '='. */
static int
decode_group(struct buf *out, const char *text, size_t padding)
{
	uint32_t bits = 0;
	size_t bytes = 3 - padding;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? value_of(text[i]) : 0;

		if (value < 0)
			return QE_SYNTAX;
		bits = bits << 6 | (uint32_t)value;
	}
	/* One form only: what is cut off must have been zero. */
	if ((bits & ((UINT32_C(1) << 8 * padding) - 1)) != 0)
		return QE_SYNTAX;
	for (size_t i = 0; i < bytes; i++)
		buf_add_char(out, (char)(bits >> (16 - 8 * i) & 255));
	return 0;
}

static size_t
padding_of(struct strv text)
{
	size_t n = 0;

	while (n < 2 && n < text.len && text.ptr[text.len - 1 - n] == '=')
		n++;
	return n;
}

int
base64_decode(struct buf *out, struct strv text)
{
	size_t start = out->len;
	size_t padding = padding_of(text);

	if (text.len % 4 != 0)
		return QE_SYNTAX;
	for (size_t i = 0; i < text.len; i += 4) {
		bool last = i + 4 == text.len;
		int r = decode_group(out, text.ptr + i, last ? padding : 0);

		if (r != 0) {
			buf_truncate(out, start);
			return r;
		}
	}
	return out->err;
}
