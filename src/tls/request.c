/* The decoder of tls_client_encode; it takes that and nothing else. */
#include "tls/request.h"
#include "base/error.h"

#include <string.h>

static int
take_level(struct request *r, struct strv value)
{
	static const struct {
		const char *name;
		enum tls_level level;
	} levels[] = {
		{"may",      TLS_LEVEL_MAY    },
		{ "encrypt", TLS_LEVEL_ENCRYPT},
		{ "verify",  TLS_LEVEL_VERIFY },
		{ "dane",    TLS_LEVEL_DANE   },
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
		if (strv_eq(value, strv_of(levels[i].name))) {
			r->level = levels[i].level;
			return 0;
		}
	return QE_SYNTAX;
}

static int
take_timeout(struct request *r, struct strv value)
{
	return strv_to_u64(value, REQUEST_TIMEOUT_MAX, &r->timeout_ms) == 0
		   ? 0
		   : QE_SYNTAX;
}

static int
take_name(struct request *r, struct strv value)
{
	if (r->name_count == TLS_CLIENT_NAMES_MAX || value.len == 0 ||
	    value.len >= sizeof(r->names[0]))
		return QE_SYNTAX;
	memcpy(r->names[r->name_count], value.ptr, value.len);
	r->names[r->name_count++][value.len] = '\0';
	return 0;
}

static int
take_ca_file(struct request *r, struct strv value)
{
	if (value.len == 0 || value.len >= sizeof(r->ca_file))
		return QE_SYNTAX;
	memcpy(r->ca_file, value.ptr, value.len);
	r->ca_file[value.len] = '\0';
	return 0;
}

static int
take_octet(struct strv *rest, unsigned char *out)
{
	uint64_t n;

	if (strv_to_u64(strv_cut(rest, ' ', NULL), 255, &n) != 0)
		return QE_SYNTAX;
	*out = (unsigned char)n;
	return 0;
}

static int
digit(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
take_tlsa(struct request *r, struct strv value)
{
	struct request_tlsa *t = &r->tlsa[r->tlsa_count];

	if (r->tlsa_count == TLS_CLIENT_TLSA_MAX ||
	    take_octet(&value, &t->usage) != 0 ||
	    take_octet(&value, &t->selector) != 0 ||
	    take_octet(&value, &t->matching) != 0 || value.len == 0 ||
	    value.len % 2 != 0)
		return QE_SYNTAX;
	t->pos = r->bytes.len;
	t->len = value.len / 2;
	for (size_t i = 0; i < value.len; i += 2) {
		int high = digit(value.ptr[i]), low = digit(value.ptr[i + 1]);

		if (high < 0 || low < 0)
			return QE_SYNTAX;
		buf_add_char(&r->bytes, (char)(high << 4 | low));
	}
	r->tlsa_count++;
	return r->bytes.err;
}

static const struct {
	const char *key;
	int (*take)(struct request *, struct strv value);
} keys[] = {
	{"level",    take_level  },
	{ "timeout", take_timeout},
	{ "name",    take_name   },
	{ "cafile",  take_ca_file},
	{ "tlsa",    take_tlsa   },
};

static int
take(struct request *r, struct strv value)
{
	struct strv key = strv_cut(&value, '=', NULL);

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strv_eq(key, strv_of(keys[i].key)))
			return keys[i].take(r, value);
	return QE_SYNTAX;
}

int
request_decode(struct request *r, struct strv text)
{
	memset(r, 0, sizeof(*r));
	r->bytes.max = TLS_CLIENT_REQUEST_MAX;
	while (text.len > 0) {
		bool found;
		struct strv entry = strv_cut(&text, '\0', &found);
		int result = found ? take(r, entry) : QE_SYNTAX;

		if (result != 0)
			return result;
	}
	if (r->level == TLS_LEVEL_NONE ||
	    (r->level >= TLS_LEVEL_VERIFY && r->name_count == 0) ||
	    (r->level == TLS_LEVEL_DANE && r->tlsa_count == 0))
		return QE_SYNTAX;
	return 0;
}

void
request_clear(struct request *r)
{
	buf_free(&r->bytes);
}
