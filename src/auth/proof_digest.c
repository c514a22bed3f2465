/* DIGEST-MD5: what RFC 2831 section 2.1.2 hashes, for both directions. */
#include "auth/proof_digest.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/secret.h"

enum { MD5_BYTES = 16, TEXT_MAX = 8192 };

struct facts {
	struct strv nc, qop, realm, nonce, cnonce, uri, authzid;
	bool has_authzid;
};

static int
take_facts(const struct proof *p, struct facts *f)
{
	f->has_authzid = proof_fact(p, "authzid", &f->authzid);
	if (!proof_fact(p, "nc", &f->nc) || !proof_fact(p, "qop", &f->qop) ||
	    !proof_fact(p, "realm", &f->realm) ||
	    !proof_fact(p, "nonce", &f->nonce) ||
	    !proof_fact(p, "cnonce", &f->cnonce) ||
	    !proof_fact(p, "digest-uri", &f->uri))
		return QE_SYNTAX;
	return 0;
}

static int
md5(struct strv text, unsigned char out[MD5_BYTES])
{
	return digest_make(DIGEST_MD5, &text, 1, out);
}

/* Two bytes of UTF-8 for U+0080 to U+00FF, one below; else 0. */
static size_t
latin1_length(struct strv v)
{
	unsigned char c = (unsigned char)v.ptr[0];

	if (c < 0x80)
		return 1;
	if ((c == 0xc2 || c == 0xc3) && v.len > 1 &&
	    ((unsigned char)v.ptr[1] & 0xc0) == 0x80)
		return 2;
	return 0;
}

void
proof_add_latin1(struct buf *out, struct strv utf8)
{
	size_t start = out->len;

	for (struct strv rest = utf8; rest.len > 0;) {
		size_t n = latin1_length(rest);

		if (n == 0) {
			buf_truncate(out, start);
			buf_add_view(out, utf8);
			return;
		}
		buf_add_char(out, n == 1 ? rest.ptr[0]
					 : (char)((rest.ptr[0] & 3) << 6 |
						  (rest.ptr[1] & 0x3f)));
		rest = strv_skip(rest, n);
	}
}

/* Hexadecimal digits of H(A1) */
static int
make_secret(const struct proof *p, const struct facts *f, struct strv password,
    struct buf *text, struct buf *hex)
{
	unsigned char bytes[MD5_BYTES];
	int r;

	proof_add_latin1(text, strv_of(p->given->login));
	buf_add_char(text, ':');
	proof_add_latin1(text, f->realm);
	buf_add_char(text, ':');
	proof_add_latin1(text, password);
	r = text->err != 0 ? text->err : md5(buf_view(text), bytes);
	if (r != 0)
		return r;
	buf_reset(text);
	buf_add(text, (const char *)bytes, sizeof(bytes));
	buf_addf(text, ":" STRV_FMT ":" STRV_FMT, STRV_ARG(f->nonce),
	    STRV_ARG(f->cnonce));
	if (f->has_authzid)
		buf_addf(text, ":" STRV_FMT, STRV_ARG(f->authzid));
	r = text->err != 0 ? text->err : md5(buf_view(text), bytes);
	if (r == 0)
		secret_add_hex(hex, bytes, sizeof(bytes));
	return r != 0 ? r : hex->err;
}

/* Digits of KD(H(A1), ...) for a method: "AUTHENTICATE" or "". */
static int
add_response(const struct facts *f, struct strv secret, const char *method,
    struct buf *out)
{
	struct buf text = BUF_LIMIT(TEXT_MAX);
	unsigned char bytes[MD5_BYTES];
	int r;

	buf_addf(&text, "%s:" STRV_FMT, method, STRV_ARG(f->uri));
	r = text.err != 0 ? text.err : md5(buf_view(&text), bytes);
	buf_reset(&text);
	buf_addf(&text,
	    STRV_FMT ":" STRV_FMT ":" STRV_FMT ":" STRV_FMT ":" STRV_FMT ":",
	    STRV_ARG(secret), STRV_ARG(f->nonce), STRV_ARG(f->nc),
	    STRV_ARG(f->cnonce), STRV_ARG(f->qop));
	secret_add_hex(&text, bytes, sizeof(bytes));
	if (r == 0)
		r = text.err != 0 ? text.err : md5(buf_view(&text), bytes);
	if (r == 0)
		secret_add_hex(out, bytes, sizeof(bytes));
	buf_free_secret(&text);
	return r != 0 ? r : out->err;
}

int
proof_check_digest(const struct proof *p, struct strv password, bool *match,
    struct buf *answer)
{
	struct buf text = BUF_LIMIT(TEXT_MAX);
	struct buf secret = BUF_LIMIT(2 * MD5_BYTES);
	struct buf wanted = BUF_LIMIT(2 * MD5_BYTES);
	struct facts f;
	int r = take_facts(p, &f);

	buf_reserve(&text, TEXT_MAX);
	buf_reset(answer);
	if (r == 0)
		r = make_secret(p, &f, password, &text, &secret);
	if (r == 0)
		r = add_response(
		    &f, buf_view(&secret), "AUTHENTICATE", &wanted);
	if (r == 0)
		r = add_response(&f, buf_view(&secret), "", answer);
	if (r == 0)
		*match =
		    secret_equal_view(buf_view(&wanted), strv_of(p->given->a));
	buf_free_secret(&text);
	buf_free_secret(&secret);
	buf_free_secret(&wanted);
	return r;
}
