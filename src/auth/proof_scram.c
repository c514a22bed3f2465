/* SCRAM-SHA-256: proof and signature of RFC 5802 section 3. */
#include "auth/proof_digest.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/secret.h"
#include "mail/base64.h"

#include <string.h>

enum { KEY = 32, SALT_MAX = 256 };

struct keys {
	unsigned char salted[KEY], client[KEY], stored[KEY], server[KEY];
	unsigned char proof[KEY], signature[KEY];
};

static struct strv
view(const unsigned char key[KEY])
{
	return strv_from((const char *)key, KEY);
}

static int
derive(struct keys *k, struct strv password, struct strv salt,
    unsigned iterations, struct strv message)
{
	struct strv client = view(k->client);
	int r =
	    digest_pbkdf2(DIGEST_SHA256, password, salt, iterations, k->salted);

	if (r == 0)
		r = digest_hmac(DIGEST_SHA256, view(k->salted),
		    STRV("Client Key"), k->client);
	if (r == 0)
		r = digest_make(DIGEST_SHA256, &client, 1, k->stored);
	if (r == 0)
		r = digest_hmac(
		    DIGEST_SHA256, view(k->stored), message, k->proof);
	if (r == 0)
		r = digest_hmac(DIGEST_SHA256, view(k->salted),
		    STRV("Server Key"), k->server);
	if (r == 0)
		r = digest_hmac(
		    DIGEST_SHA256, view(k->server), message, k->signature);
	for (size_t i = 0; r == 0 && i < KEY; i++)
		k->proof[i] ^= k->client[i];
	return r;
}

/* What the client sent, and what it sent it for. */
static int
take_facts(const struct proof *p, struct buf *sent, struct buf *salt,
    uint64_t *iterations, struct strv *message)
{
	struct strv coded, number;

	if (!proof_fact(p, "salt", &coded) ||
	    !proof_fact(p, "iterations", &number) ||
	    !proof_fact(p, "auth-message", message) ||
	    strv_to_u64(number, PROOF_ITERATIONS_MAX, iterations) != 0 ||
	    *iterations == 0 || base64_decode(salt, coded) != 0 ||
	    base64_decode(sent, strv_of(p->given->a)) != 0)
		return QE_SYNTAX;
	return 0;
}

int
proof_check_scram(const struct proof *p, struct strv password, bool *match,
    struct buf *answer)
{
	struct buf sent = BUF_LIMIT(KEY), salt = BUF_LIMIT(SALT_MAX);
	struct strv message = STRV_EMPTY;
	uint64_t iterations = 0;
	struct keys k;
	int r = take_facts(p, &sent, &salt, &iterations, &message);

	buf_reset(answer);
	if (r == 0)
		r = derive(&k, password, buf_view(&salt), (unsigned)iterations,
		    message);
	if (r == 0) {
		*match = secret_equal_view(view(k.proof), buf_view(&sent));
		base64_encode(answer, view(k.signature));
		r = answer->err;
	}
	explicit_bzero(&k, sizeof(k));
	buf_free_secret(&sent);
	buf_free(&salt);
	return r;
}
