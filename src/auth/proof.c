/*
 * All mechanisms: clear, APOP (RFC 1939), CRAM-* (RFC 2195), DIGEST-MD5
 * (RFC 2831), SCRAM-SHA-256 (RFC 5802).  Each computes what the client must
 * have sent, and compares the whole.
 */
#include "auth/proof.h"
#include "auth/proof_digest.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/secret.h"
#include "mail/base64.h"

#include <string.h>

enum kind { KIND_CLEAR, KIND_APOP, KIND_CRAM, KIND_DIGEST, KIND_SCRAM };

static const struct mechanism {
	const char *name;
	enum kind kind;
	enum digest digest;
	bool has_file;
} mechanisms[] = {
	{"plain",          KIND_CLEAR,  DIGEST_COUNT,     false},
	{ "login",         KIND_CLEAR,  DIGEST_COUNT,     false},
	{ "apop",          KIND_APOP,   DIGEST_MD5,       false},
	{ "cram-md5",      KIND_CRAM,   DIGEST_MD5,       false},
	{ "cram-sha1",     KIND_CRAM,   DIGEST_SHA1,      false},
	{ "cram-ripemd",   KIND_CRAM,   DIGEST_RIPEMD160, false},
	{ "digest-md5",    KIND_DIGEST, DIGEST_MD5,       true },
	{ "scram-sha-256", KIND_SCRAM,  DIGEST_SHA256,    true },
};

static const struct mechanism *
find(const char *sasl)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(*mechanisms); i++)
		if (strcmp(mechanisms[i].name, sasl) == 0)
			return &mechanisms[i];
	return NULL;
}

const char *
proof_elsewhere(const char *sasl)
{
	(void)sasl;
	return NULL;
}

int
proof_open(struct proof *p, const char *sasl, const struct credentials *given)
{
	const struct mechanism *m = find(sasl);

	*p = (struct proof){ .sasl = sasl, .given = given, .facts_fd = -1 };
	if (m == NULL)
		return QE_ABSENT;
	return m->has_file ? proof_open_file(p) : 0;
}

int
proof_open_facts(struct proof *p, const char *sasl,
    const struct credentials *given, struct strv facts)
{
	*p = (struct proof){ .sasl = sasl,
		.given = given,
		.facts_fd = -1,
		.facts = BUF_LIMIT(PROOF_FACTS_MAX) };
	if (find(sasl) == NULL)
		return QE_ABSENT;
	buf_add_view(&p->facts, facts);
	return p->facts.err;
}

/* Compares hexadecimal digits of a digest with what the client sent. */
static void
compare_hex(
    enum digest d, const unsigned char *bytes, const char *sent, bool *match)
{
	struct buf hex = BUF_LIMIT(2 * DIGEST_SIZE_MAX);

	secret_add_hex(&hex, bytes, digest_size(d));
	*match =
	    hex.err == 0 && secret_equal_view(buf_view(&hex), strv_of(sent));
	buf_free_secret(&hex);
}

/* MD5 of the stamp and the password. */
static int
check_apop(const struct proof *p, struct strv password, bool *match)
{
	const struct strv parts[] = { strv_of(p->given->b), password };
	unsigned char bytes[DIGEST_SIZE_MAX];
	int r = digest_make(DIGEST_MD5, parts, 2, bytes);

	if (r == 0)
		compare_hex(DIGEST_MD5, bytes, p->given->a, match);
	return r;
}

/* HMAC of the challenge under the password. */
static int
check_cram(
    const struct proof *p, enum digest d, struct strv password, bool *match)
{
	unsigned char bytes[DIGEST_SIZE_MAX];
	int r = digest_hmac(d, password, strv_of(p->given->a), bytes);

	if (r == 0)
		compare_hex(d, bytes, p->given->b, match);
	return r;
}

int
proof_check(const struct proof *p, struct strv password, bool *match,
    struct buf *answer)
{
	const struct mechanism *m = find(p->sasl);

	*match = false;
	if (m == NULL)
		return QE_ABSENT;
	switch (m->kind) {
	case KIND_CLEAR:
		*match = secret_equal_view(password, strv_of(p->given->a));
		return 0;
	case KIND_APOP:
		return check_apop(p, password, match);
	case KIND_CRAM:
		return check_cram(p, m->digest, password, match);
	case KIND_DIGEST:
		return proof_check_digest(p, password, match, answer);
	case KIND_SCRAM:
		return proof_check_scram(p, password, match, answer);
	}
	return QE_ABSENT;
}
