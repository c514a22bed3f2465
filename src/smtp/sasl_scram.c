/*
 * SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding.
 *
 * Salt and iterations are chosen here, anew for each exchange: the checkers
 * know the password itself, so any salt will do, and one that never comes
 * back tells nobody whether there is such a user.  Proof and signature are
 * the checker's.
 */
#include "base/error.h"
#include "base/secret.h"
#include "mail/base64.h"
#include "smtp/sasl_mechanisms.h"

#include <string.h>

enum {
	SCRAM_NONCE = 18, /* random bytes that we add to the client's */
	SCRAM_SALT = 16,  /* random bytes */
	SCRAM_SIZE = 32,  /* bytes of a proof or signature */
	CLIENT_NONCE_MAX = 256
};

/*
 * What is kept of the first round, each ended by LF: the gs2 header, the
 * whole nonce, the salt, and the two messages so far with a comma behind
 * each.
 */
struct kept {
	struct strv header, nonce, salt, messages;
};

static struct kept
recall(const struct sasl *x)
{
	struct strv rest = buf_view(&x->kept);
	struct kept k;

	k.header = strv_cut(&rest, '\n', NULL);
	k.nonce = strv_cut(&rest, '\n', NULL);
	k.salt = strv_cut(&rest, '\n', NULL);
	k.messages = strv_cut(&rest, '\n', NULL);
	return k;
}

/* "x=value" up to a comma; false if the attribute is another one. */
static bool
take_attribute(struct strv *rest, char name, struct strv *value)
{
	struct strv part = strv_cut(rest, ',', NULL);

	if (part.len < 2 || part.ptr[0] != name || part.ptr[1] != '=')
		return false;
	*value = strv_skip(part, 2);
	return true;
}

/* "=2C" is a comma and "=3D" an equals sign; no other one may stand. */
static int
unescape(struct strv name, struct buf *out)
{
	while (name.len > 0) {
		size_t skip = 1;
		char c = name.ptr[0];

		if (c == '=') {
			skip = 3;
			if (strv_starts(name, STRV("=2C")))
				c = ',';
			else if (!strv_starts(name, STRV("=3D")))
				return QE_SYNTAX;
		}
		buf_add_char(out, c);
		name = strv_skip(name, skip);
	}
	return out->err;
}

/* "n,," or "y,,", or with "a=name" inside; leaves what follows in *rest. */
static bool
take_header(struct strv *rest, struct strv *header, struct strv *acts_for)
{
	struct strv whole = *rest;
	bool first, second;
	struct strv binding = strv_cut(rest, ',', &first);
	struct strv name = strv_cut(rest, ',', &second);

	if (!first || !second ||
	    (!strv_eq(binding, STRV("n")) && !strv_eq(binding, STRV("y"))))
		return false;
	if (name.len > 0 && !strv_starts(name, STRV("a=")))
		return false;
	*acts_for = strv_skip(name, 2);
	*header = strv_head(whole, whole.len - rest->len);
	return true;
}

static bool
is_nonce(struct strv v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.ptr[i] < 33 || v.ptr[i] > 126 || v.ptr[i] == ',')
			return false;
	return v.len > 0 && v.len <= CLIENT_NONCE_MAX;
}

/* r=...,s=...,i=... to out, and all that the last round needs to kept. */
static enum sasl_result
answer_first(struct sasl *x, struct strv header, struct strv bare,
    struct strv nonce, struct buf *out)
{
	unsigned char salt[SCRAM_SALT];
	struct buf coded = BUF_LIMIT(SASL_ANSWER_MAX);
	struct buf *kept = &x->kept;

	if (secret_random(salt, sizeof(salt)) != 0)
		return SASL_FAILED;
	base64_encode(&coded, strv_from((const char *)salt, sizeof(salt)));
	buf_add_str(out, "r=");
	buf_add_view(out, nonce);
	if (sasl_add_nonce(out, SCRAM_NONCE) != 0)
		return SASL_FAILED;
	buf_add_view(kept, header);
	buf_add_char(kept, '\n');
	buf_add_view(kept, strv_skip(buf_view(out), 2));
	buf_add_char(kept, '\n');
	buf_add_view(kept, buf_view(&coded));
	buf_addf(out, ",s=" STRV_FMT ",i=%d", STRV_ARG(buf_view(&coded)),
	    SASL_SCRAM_ITERATIONS);
	buf_addf(kept, "\n" STRV_FMT "," STRV_FMT ",\n", STRV_ARG(bare),
	    STRV_ARG(buf_view(out)));
	buf_free(&coded);
	return SASL_CONTINUE;
}

static enum sasl_result
first(struct sasl *x, struct strv response, struct buf *out)
{
	struct strv rest = response;
	struct strv header, acts_for, bare, name, nonce;
	struct buf user = BUF_LIMIT(SASL_USER_MAX);
	enum sasl_result result;

	if (sasl_has_controls(response) ||
	    !take_header(&rest, &header, &acts_for))
		return SASL_MALFORMED;
	bare = rest;
	if (!take_attribute(&rest, 'n', &name) ||
	    !take_attribute(&rest, 'r', &nonce) || !is_nonce(nonce))
		return SASL_MALFORMED;
	if (unescape(name, &user) == QE_SYNTAX)
		result = SASL_MALFORMED;
	else if (acts_for.len > 0 && !strv_eq(acts_for, name))
		result = SASL_REFUSED;
	else if (user.err != 0)
		result = SASL_REFUSED;
	else
		result = sasl_set_user(x, buf_view(&user));
	buf_free(&user);
	return result == SASL_CHECK ? answer_first(x, header, bare, nonce, out)
				    : result;
}

/* c= must repeat the header of the first message (RFC 5802 section 6). */
static bool
is_same_header(struct strv coded, struct strv header)
{
	struct buf plain = BUF_LIMIT(SASL_LINE_MAX);
	bool same = base64_decode(&plain, coded) == 0 &&
		    strv_eq(buf_view(&plain), header);

	buf_free(&plain);
	return same;
}

static bool
is_proof(struct strv coded)
{
	struct buf plain = BUF_LIMIT(SCRAM_SIZE);
	bool fits =
	    base64_decode(&plain, coded) == 0 && plain.len == SCRAM_SIZE;

	buf_free_secret(&plain);
	return fits;
}

static enum sasl_result
last(struct sasl *x, struct strv response)
{
	size_t end = strv_rfind(response, ',');
	struct kept k = recall(x);
	struct strv rest, without, binding, nonce, proof;

	if (end == STRV_NPOS || sasl_has_controls(response))
		return SASL_MALFORMED;
	without = rest = strv_head(response, end);
	proof = strv_skip(response, end + 1);
	if (!take_attribute(&rest, 'c', &binding) ||
	    !take_attribute(&rest, 'r', &nonce) ||
	    !strv_starts(proof, STRV("p=")) || !is_proof(strv_skip(proof, 2)))
		return SASL_MALFORMED;
	if (!is_same_header(binding, k.header) ||
	    !secret_equal_view(nonce, k.nonce))
		return SASL_REFUSED;
	buf_add_view(&x->a, strv_skip(proof, 2));
	buf_addf(&x->facts,
	    "salt=" STRV_FMT "\niterations=%d\nauth-message=", STRV_ARG(k.salt),
	    SASL_SCRAM_ITERATIONS);
	buf_add_view(&x->facts, k.messages);
	buf_add_view(&x->facts, without);
	buf_add_char(&x->facts, '\n');
	return SASL_CHECK;
}

enum sasl_result
sasl_scram_step(struct sasl *x, struct strv response, struct buf *out)
{
	return x->turn == 1 ? first(x, response, out) : last(x, response);
}

enum sasl_result
sasl_scram_finish(struct sasl *x, struct strv answer, struct buf *out)
{
	struct strv signature = strv_cut(&answer, '\n', NULL);

	(void)x;
	if (!is_proof(signature))
		return SASL_FAILED;
	buf_add_str(out, "v=");
	buf_add_view(out, signature);
	return SASL_CONTINUE;
}
