/*
 * smtp/sasl: any lines of a client, to any mechanism.  What reaches a checker
 * fits on descriptor 3 and holds no byte that would be read as another one.
 */
#include "base/error.h"
#include "fuzz.h"
#include "mail/base64.h"
#include "smtp/sasl.h"
#include "smtp/sasl_mechanisms.h"

static const char *const names[] = { "LOGIN", "PLAIN", "CRAM-MD5", "CRAM-SHA1",
	"DIGEST-MD5", "SCRAM-SHA-256" };

static void
check(const struct sasl *x)
{
	require(x->user.len > 0 && x->user.len <= SASL_USER_MAX);
	require(!sasl_has_controls(buf_view(&x->user)));
	require(strv_find(buf_view(&x->a), '\0') == STRV_NPOS);
	require(strv_find(buf_view(&x->b), '\0') == STRV_NPOS);
	require(x->a.len <= SASL_CREDENTIALS_MAX);
	require(x->facts.len <= SASL_FACTS_MAX);
	/* Lines of facts are ours: a value cannot begin another one. */
	for (struct strv rest = buf_view(&x->facts); rest.len > 0;) {
		struct strv line = strv_cut(&rest, '\n', NULL);

		require(strv_find(line, '=') != STRV_NPOS);
		require(!sasl_has_controls(line));
	}
}

/*
 * The next line of the input as a response.  Nonces cannot be guessed, so "@"
 * stands for the one in the last challenge.
 */
static void
respond(struct strv line, const struct buf *challenge, struct buf *out)
{
	struct buf plain = BUF_LIMIT(SASL_CHALLENGE_MAX);
	struct buf text = BUF_INIT;
	struct strv nonce, rest;

	(void)base64_decode(&plain, buf_view(challenge));
	rest = buf_view(&plain);
	(void)strv_cut(&rest, '=', NULL);
	nonce = strv_cut(&rest, ',', NULL);
	if (strv_starts(nonce, STRV("\""))) {
		(void)strv_cut(&rest, '"', NULL);
		nonce = strv_cut(&rest, '"', NULL);
	}
	for (size_t i = 0; i < line.len; i++) {
		if (line.ptr[i] == '@')
			buf_add_view(&text, nonce);
		else
			buf_add_char(&text, line.ptr[i]);
	}
	buf_reset(out);
	base64_encode(out, buf_view(&text));
	buf_free(&plain);
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv in = fuzz_input(data, size);
	unsigned steer = fuzz_take(&in);
	const char *name = names[steer % (sizeof(names) / sizeof(*names))];
	struct buf challenge = BUF_LIMIT(SASL_CHALLENGE_MAX);
	struct buf line = BUF_INIT;
	enum sasl_result r;
	struct sasl x;

	sasl_init(&x, "smtp", STRV("mx.example"));
	r = sasl_begin(
	    &x, sasl_find(strv_of(name), SASL_ALL), STRV_EMPTY, &challenge);
	for (int turns = 0; r == SASL_CONTINUE; turns++) {
		struct strv text = strv_cut(&in, '\n', NULL);

		require(turns < 5);
		require(challenge.len <= SASL_CHALLENGE_MAX);
		respond(text, &challenge, &line);
		/* Raw lines as well, mostly no base64. */
		r = sasl_step(
		    &x, (steer & 64) != 0 ? text : buf_view(&line), &challenge);
		if (r == SASL_CHECK) {
			check(&x);
			r = sasl_accepted(&x,
			    STRV("0123456789abcdef0123456789abcdef"),
			    &challenge);
		}
	}
	sasl_free(&x);
	buf_free(&challenge);
	buf_free(&line);
	return 0;
}
