/* smtp/sasl_client: what hostile servers say to AUTH. */
#include "base/error.h"
#include "fuzz.h"
#include "smtp/sasl_client.h"

static int
fake_cram(void *state, enum sasl_client_method method, struct strv password,
    struct strv challenge, struct buf *hex)
{
	(void)state;
	(void)method;
	(void)password;
	require(challenge.len > 0);
	buf_add_str(hex, "0123456789abcdef");
	return 0;
}

static int
fake_scram(void *state, struct strv password, struct strv salt,
    unsigned iterations, struct strv message, struct buf *proof,
    struct buf *signature)
{
	(void)state;
	(void)password;
	require(salt.len > 0 && message.len > 0);
	require(iterations >= SASL_CLIENT_ITERATIONS_MIN &&
		iterations <= SASL_CLIENT_ITERATIONS_MAX);
	buf_add_str(proof, "proof");
	buf_add_str(signature, "signature");
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sasl_client_digests digests = { NULL, fake_cram,
		fake_scram };
	struct strv in = fuzz_input(data, size);
	unsigned method = 1 + fuzz_take(&in) % (SASL_CLIENT_METHODS - 1);
	struct sasl_client c;
	struct buf out = BUF_LIMIT(4 * SASL_CLIENT_TEXT_MAX);
	bool shown = method != SASL_CLIENT_SCRAM_SHA_256;

	sasl_client_init(&c, (enum sasl_client_method)method, STRV("user"),
	    STRV("password"), "nonce", &digests);
	(void)sasl_client_initial(&c, &out);
	while (in.len > 0) {
		struct strv challenge = strv_cut(&in, '\n', NULL);
		bool was_done = c.done;

		buf_reset(&out);
		if (sasl_client_answer(&c, challenge, &out) < 0)
			break;
		require(!was_done);
		/* Only this shows that the server knows the password. */
		shown = shown || strv_starts(challenge, STRV("v=c2lnbmF0dXJl"));
	}
	require(!c.done || shown);
	sasl_client_clear(&c);
	(void)sasl_client_choose(fuzz_input(data, size), STRV_EMPTY, true);
	buf_free(&out);
	return 0;
}
