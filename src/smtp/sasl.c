/*
 * The table of mechanisms, and what they share: base64, turns, the last
 * challenge, wiping.  A mechanism sees decoded bytes only.
 */
#include "smtp/sasl.h"
#include "base/error.h"
#include "base/secret.h"
#include "config-digests.h"
#include "mail/base64.h"
#include "smtp/sasl_mechanisms.h"

/* name, program, bit, names_host, prompt, step, finish */
/* clang-format off */
static const struct sasl_mechanism mechanisms[] = {
	{ "LOGIN", "plain", SASL_LOGIN, false, "Username:", sasl_login_step,
	    NULL },
	{ "PLAIN", "plain", SASL_PLAIN, false, "", sasl_plain_step, NULL },
	{ "CRAM-MD5", "cram-md5", SASL_CRAM_MD5, true, NULL, sasl_cram_step,
	    NULL },
	{ "CRAM-SHA1", "cram-sha1", SASL_CRAM_SHA1, true, NULL, sasl_cram_step,
	    NULL },
	{ "CRAM-RIPEMD", "cram-ripemd", SASL_CRAM_RIPEMD, true, NULL,
	    sasl_cram_step, NULL },
	{ "DIGEST-MD5", "digest-md5", SASL_DIGEST_MD5, true, NULL,
	    sasl_digest_step, sasl_digest_finish },
	{ "SCRAM-SHA-256", "scram-sha-256", SASL_SCRAM_SHA_256, false, "",
	    sasl_scram_step, sasl_scram_finish },
};
/* clang-format on */

enum {
	MECHANISMS = sizeof(mechanisms) / sizeof(*mechanisms),
	RESPONSE_USUAL = 256 /* decoded bytes that need no malloc(3) */
};

unsigned
sasl_available(void)
{
	return CONFIG_RIPEMD160 ? SASL_ALL : SASL_ALL & ~SASL_CRAM_RIPEMD;
}

const struct sasl_mechanism *
sasl_find(struct strv name, unsigned allowed)
{
	allowed &= sasl_available();
	for (size_t i = 0; i < MECHANISMS; i++)
		if ((allowed & mechanisms[i].bit) != 0 &&
		    strv_eq_nocase(strv_of(mechanisms[i].name), name))
			return &mechanisms[i];
	return NULL;
}

void
sasl_add_names(struct buf *out, unsigned allowed)
{
	allowed &= sasl_available();
	for (size_t i = 0; i < MECHANISMS; i++) {
		if ((allowed & mechanisms[i].bit) == 0)
			continue;
		buf_add_char(out, ' ');
		buf_add_str(out, mechanisms[i].name);
	}
}

void
sasl_init(struct sasl *x, const char *service, struct strv host)
{
	*x = (struct sasl){ .service = service,
		.program = "plain",
		.host = BUF_IN(x->host_data, SASL_HOST_MAX),
		.user = BUF_IN(x->user_data, SASL_USER_MAX),
		.a = BUF_IN(x->a_data, SASL_CREDENTIALS_MAX),
		.b = BUF_LIMIT(SASL_CREDENTIALS_MAX),
		.facts = BUF_LIMIT(SASL_FACTS_MAX),
		.kept = BUF_LIMIT(SASL_LINE_MAX) };
	/* A name that needs quoting is no name of a host. */
	for (size_t i = 0; i < host.len && i < SASL_HOST_MAX; i++) {
		char c = host.ptr[i];
		bool plain = ascii_is_alpha(c) || ascii_is_digit(c) ||
			     c == '.' || c == '-' || c == '_';

		buf_add_char(&x->host, plain ? c : '_');
	}
}

void
sasl_free(struct sasl *x)
{
	buf_free(&x->host);
	buf_free(&x->user);
	buf_free_secret(&x->a);
	buf_free_secret(&x->b);
	buf_free_secret(&x->facts);
	buf_free_secret(&x->kept);
	x->mechanism = NULL;
}

static int
error_of(const struct sasl *x)
{
	return x->host.err != 0    ? x->host.err
	       : x->user.err != 0  ? x->user.err
	       : x->a.err != 0     ? x->a.err
	       : x->b.err != 0     ? x->b.err
	       : x->facts.err != 0 ? x->facts.err
				   : x->kept.err;
}

/* The challenge as it goes over the wire, unless the exchange has failed. */
static enum sasl_result
encode(struct sasl *x, enum sasl_result result, struct buf *plain,
    struct buf *challenge)
{
	buf_reset(challenge);
	if (result == SASL_CONTINUE)
		base64_encode(challenge, buf_view(plain));
	if (error_of(x) != 0 || plain->err != 0 || challenge->err != 0)
		result = error_of(x) == QE_LIMIT ? SASL_REFUSED : SASL_FAILED;
	buf_free_secret(plain);
	return result;
}

/* Gives a decoded response to the mechanism. */
static enum sasl_result
take(struct sasl *x, struct strv response, struct buf *challenge)
{
	struct buf plain = BUF_LIMIT(SASL_CHALLENGE_MAX / 4 * 3);

	return encode(
	    x, x->mechanism->step(x, response, &plain), &plain, challenge);
}

static enum sasl_result
decode_and_take(struct sasl *x, struct strv line, struct buf *challenge)
{
	char usual[RESPONSE_USUAL];
	struct buf response = BUF_IN(usual, SASL_LINE_MAX);
	enum sasl_result result = SASL_MALFORMED;
	int r;

	if (line.len > SASL_LINE_MAX)
		return SASL_MALFORMED;
	buf_reserve(&response, line.len / 4 * 3);
	r = base64_decode(&response, line);
	x->turn++;
	if (r == QE_NOMEM)
		result = SASL_FAILED;
	else if (r == 0)
		result = take(x, buf_view(&response), challenge);
	buf_free_secret(&response);
	return result;
}

enum sasl_result
sasl_begin(struct sasl *x, const struct sasl_mechanism *m, struct strv initial,
    struct buf *challenge)
{
	struct buf prompt = BUF_LIMIT(SASL_CHALLENGE_MAX);

	buf_reset(challenge);
	x->mechanism = m;
	x->program = m->program;
	if (m->prompt == NULL && initial.len > 0)
		return SASL_MALFORMED;
	if (m->prompt == NULL)
		return take(x, STRV_EMPTY, challenge);
	if (strv_eq(initial, STRV("=")))
		return decode_and_take(x, STRV_EMPTY, challenge);
	if (initial.len > 0)
		return decode_and_take(x, initial, challenge);
	buf_add_str(&prompt, m->prompt);
	return encode(x, SASL_CONTINUE, &prompt, challenge);
}

enum sasl_result
sasl_step(struct sasl *x, struct strv line, struct buf *challenge)
{
	buf_reset(challenge);
	if (strv_eq(line, STRV("*")))
		return SASL_CANCELLED;
	if (x->is_finishing)
		return line.len == 0 || strv_eq(line, STRV("="))
			   ? SASL_DONE
			   : SASL_MALFORMED;
	return decode_and_take(x, line, challenge);
}

enum sasl_result
sasl_accepted(struct sasl *x, struct strv answer, struct buf *challenge)
{
	struct buf plain = BUF_LIMIT(SASL_CHALLENGE_MAX / 4 * 3);

	buf_reset(challenge);
	if (x->mechanism == NULL || x->mechanism->finish == NULL)
		return SASL_DONE;
	x->is_finishing = true;
	return encode(
	    x, x->mechanism->finish(x, answer, &plain), &plain, challenge);
}

bool
sasl_has_controls(struct strv v)
{
	for (size_t i = 0; i < v.len; i++)
		if ((unsigned char)v.ptr[i] < 32 || v.ptr[i] == 127)
			return true;
	return false;
}

bool
sasl_is_hex(struct strv v, size_t n)
{
	for (size_t i = 0; i < v.len; i++) {
		char c = ascii_lower(v.ptr[i]);

		if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
			return false;
	}
	return v.len == n;
}

int
sasl_add_nonce(struct buf *out, size_t n)
{
	unsigned char bytes[SECRET_RANDOM_MAX];
	int r = secret_random(bytes, n);

	if (r == 0)
		secret_add_hex(out, bytes, n);
	return r;
}

enum sasl_result
sasl_set_user(struct sasl *x, struct strv user)
{
	if (user.len == 0 || user.len > SASL_USER_MAX ||
	    sasl_has_controls(user))
		return SASL_REFUSED;
	buf_reset(&x->user);
	buf_add_view(&x->user, user);
	return SASL_CHECK;
}
