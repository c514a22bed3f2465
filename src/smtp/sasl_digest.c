/*
 * DIGEST-MD5 (RFC 2831): only "auth", only first authentication.  What the
 * digest is made of goes into the private file; the checker computes it.
 */
#include "base/error.h"
#include "base/secret.h"
#include "smtp/sasl_mechanisms.h"

#include <string.h>

enum {
	DIGEST_NONCE = 24, /* random bytes of a challenge */
	DIGEST_DIGITS = 32,
	VALUE_MAX = 512 /* bytes of one value */
};

/* Directives that the file or we ask for; others are skipped. */
enum directive {
	D_USERNAME,
	D_REALM,
	D_NONCE,
	D_CNONCE,
	D_NC,
	D_QOP,
	D_URI,
	D_RESPONSE,
	D_CHARSET,
	D_AUTHZID,
	D_COUNT
};

static const char directive_names[D_COUNT][12] = { "username", "realm", "nonce",
	"cnonce", "nc", "qop", "digest-uri", "response", "charset", "authzid" };

struct directives {
	struct strv values[D_COUNT];
	bool given[D_COUNT];
	char storage[SASL_LINE_MAX]; /* the values, without quoting */
	size_t used;
};

static enum sasl_result
ask(struct sasl *x, struct buf *out)
{
	if (sasl_add_nonce(&x->kept, DIGEST_NONCE) != 0)
		return SASL_FAILED;
	buf_addf(out,
	    "realm=\"" STRV_FMT "\",nonce=\"" STRV_FMT
	    "\",qop=\"auth\",charset=utf-8,algorithm=md5-sess",
	    STRV_ARG(buf_view(&x->host)), STRV_ARG(buf_view(&x->kept)));
	return SASL_CONTINUE;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip_blanks(struct strv *in)
{
	while (in->len > 0 && is_blank(in->ptr[0]))
		*in = strv_skip(*in, 1);
}

/* Behind the opening quote, up to and with the closing one. */
static int
take_quoted(struct strv *in, struct directives *d)
{
	while (in->len > 0 && in->ptr[0] != '"') {
		if (in->ptr[0] == '\\')
			*in = strv_skip(*in, 1);
		if (in->len == 0)
			break;
		d->storage[d->used++] = in->ptr[0];
		*in = strv_skip(*in, 1);
	}
	if (in->len == 0)
		return QE_SYNTAX;
	*in = strv_skip(*in, 1);
	return 0;
}

/* The input is no longer than the storage, and no value than its source. */
static int
take_value(struct strv *in, struct directives *d, struct strv *value)
{
	size_t start = d->used;
	int r = 0;

	skip_blanks(in);
	if (in->len > 0 && in->ptr[0] == '"') {
		*in = strv_skip(*in, 1);
		r = take_quoted(in, d);
	} else {
		while (
		    in->len > 0 && in->ptr[0] != ',' && !is_blank(in->ptr[0])) {
			d->storage[d->used++] = in->ptr[0];
			*in = strv_skip(*in, 1);
		}
	}
	*value = strv_from(d->storage + start, d->used - start);
	if (r == 0 && (value->len > VALUE_MAX || sasl_has_controls(*value)))
		r = QE_SYNTAX;
	return r;
}

static int
keep(struct directives *d, struct strv key, struct strv value)
{
	for (size_t i = 0; i < D_COUNT; i++) {
		if (!strv_eq_nocase(key, strv_of(directive_names[i])))
			continue;
		if (d->given[i])
			return QE_SYNTAX;
		d->given[i] = true;
		d->values[i] = value;
	}
	return 0;
}

/* key=value, key="value", ... with commas between; empty ones are none. */
static int
parse(struct strv in, struct directives *d)
{
	memset(d, 0, sizeof(*d));
	for (size_t i = 0; i < D_COUNT; i++)
		d->values[i] = STRV_EMPTY;
	if (in.len > sizeof(d->storage))
		return QE_SYNTAX;
	for (;;) {
		struct strv key, value;
		bool found;

		skip_blanks(&in);
		if (in.len > 0 && in.ptr[0] == ',') {
			in = strv_skip(in, 1);
			continue;
		}
		if (in.len == 0)
			return 0;
		key = strv_trim_blanks(strv_cut(&in, '=', &found));
		if (!found || take_value(&in, d, &value) != 0 ||
		    keep(d, key, value) != 0)
			return QE_SYNTAX;
		skip_blanks(&in);
		if (in.len > 0 && in.ptr[0] != ',')
			return QE_SYNTAX;
	}
}

/* "smtp/host" or "smtp/host/name": for this service; hosts have many names. */
static bool
is_uri_of(const struct sasl *x, struct strv uri)
{
	bool found;
	struct strv service = strv_cut(&uri, '/', &found);

	return found && uri.len > 0 &&
	       strv_eq_nocase(service, strv_of(x->service));
}

static bool
is_complete(const struct directives *d)
{
	return d->given[D_USERNAME] && d->given[D_NONCE] &&
	       d->given[D_CNONCE] && d->given[D_NC] && d->given[D_URI] &&
	       d->values[D_CNONCE].len > 0 &&
	       sasl_is_hex(d->values[D_RESPONSE], DIGEST_DIGITS);
}

/* Does it answer this challenge, for the first time, and for us? */
static bool
is_answer(const struct sasl *x, const struct directives *d)
{
	const struct strv *v = d->values;

	return secret_equal_view(v[D_NONCE], buf_view(&x->kept)) &&
	       strv_eq(v[D_NC], STRV("00000001")) &&
	       (!d->given[D_QOP] || strv_eq(v[D_QOP], STRV("auth"))) &&
	       (!d->given[D_REALM] || v[D_REALM].len == 0 ||
		   strv_eq_nocase(v[D_REALM], buf_view(&x->host))) &&
	       (!d->given[D_CHARSET] ||
		   strv_eq_nocase(v[D_CHARSET], STRV("utf-8"))) &&
	       (v[D_AUTHZID].len == 0 ||
		   strv_eq(v[D_AUTHZID], v[D_USERNAME])) &&
	       is_uri_of(x, v[D_URI]);
}

static void
add_fact(struct buf *facts, const char *name, struct strv value)
{
	buf_add_str(facts, name);
	buf_add_char(facts, '=');
	buf_add_view(facts, value);
	buf_add_char(facts, '\n');
}

static void
set_facts(struct sasl *x, const struct directives *d)
{
	add_fact(&x->facts, "nc", d->values[D_NC]);
	add_fact(&x->facts, "qop", STRV("auth"));
	add_fact(&x->facts, "realm", d->values[D_REALM]);
	add_fact(&x->facts, "nonce", d->values[D_NONCE]);
	add_fact(&x->facts, "cnonce", d->values[D_CNONCE]);
	add_fact(&x->facts, "digest-uri", d->values[D_URI]);
	/* An empty one is none, and clients do not hash it. */
	if (d->values[D_AUTHZID].len > 0)
		add_fact(&x->facts, "authzid", d->values[D_AUTHZID]);
}

enum sasl_result
sasl_digest_step(struct sasl *x, struct strv response, struct buf *out)
{
	struct directives d;

	if (x->turn == 0)
		return ask(x, out);
	if (parse(response, &d) != 0 || !is_complete(&d))
		return SASL_MALFORMED;
	if (!is_answer(x, &d))
		return SASL_REFUSED;
	buf_add_lower(&x->a, d.values[D_RESPONSE]);
	set_facts(x, &d);
	return sasl_set_user(x, d.values[D_USERNAME]);
}

enum sasl_result
sasl_digest_finish(struct sasl *x, struct strv answer, struct buf *out)
{
	struct strv digits = strv_head(answer, DIGEST_DIGITS);

	(void)x;
	if (!sasl_is_hex(digits, DIGEST_DIGITS))
		return SASL_FAILED;
	buf_add_str(out, "rspauth=");
	buf_add_lower(out, digits);
	return SASL_CONTINUE;
}
