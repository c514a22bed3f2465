/*
 * CRAM-MD5 (RFC 2195) and its likes with SHA-1 and RIPEMD-160: the client
 * answers a challenge with "user hexdigest".  Every challenge is new, so an
 * old answer is of no use.
 */
#include "base/clock.h"
#include "base/error.h"
#include "smtp/sasl_mechanisms.h"

enum {
	CRAM_NONCE = 16, /* random bytes of a challenge */
	MD5_DIGITS = 32,
	SHA1_DIGITS = 40 /* and RIPEMD-160 */
};

static enum sasl_result
ask(struct sasl *x, struct buf *out)
{
	buf_add_char(&x->a, '<');
	if (sasl_add_nonce(&x->a, CRAM_NONCE) != 0)
		return SASL_FAILED;
	buf_addf(&x->a, ".%lld@" STRV_FMT ">", (long long)clock_wall(),
	    STRV_ARG(buf_view(&x->host)));
	buf_add_view(out, buf_view(&x->a));
	return SASL_CONTINUE;
}

enum sasl_result
sasl_cram_step(struct sasl *x, struct strv response, struct buf *out)
{
	size_t digits =
	    x->mechanism->bit == SASL_CRAM_MD5 ? MD5_DIGITS : SHA1_DIGITS;
	size_t blank = strv_rfind(response, ' ');
	struct strv digest;

	if (x->turn == 0)
		return ask(x, out);
	if (blank == STRV_NPOS)
		return SASL_MALFORMED;
	digest = strv_skip(response, blank + 1);
	if (!sasl_is_hex(digest, digits))
		return SASL_MALFORMED;
	buf_add_lower(&x->b, digest);
	return sasl_set_user(x, strv_head(response, blank));
}
