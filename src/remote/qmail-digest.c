/*
 * qmail-digest: computes what qmail-remote needs for AUTH (qmail-digest(8)).
 *
 * Descriptor 0: netstrings, the method's name, the password, and the challenge
 * (CRAM-*) or salt, iterations and AuthMessage (SCRAM-SHA-256).  Descriptor 1:
 * netstrings, the HMAC in hexadecimal, or ClientProof and ServerSignature.
 * Runs as qmailr below qmail-remote; reads and writes nothing else.  Apart
 * from qmail-remote because it links libcrypto, which makes each start dear.
 */
#include "base/die.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/file.h"
#include "base/io.h"
#include "base/program.h"
#include "base/secret.h"
#include "mail/netstring.h"

#include <string.h>

enum {
	REQUEST_MAX = 65536,
	FIELDS_MAX = 5,
	EXIT_NOT_HERE = 3, /* as digests.c knows it */
	ITERATIONS_MAX = 1000000
};

struct request {
	struct strv fields[FIELDS_MAX];
	size_t count;
};

static const struct {
	const char *name;
	enum digest digest;
} crams[] = {
	{"CRAM-MD5",     DIGEST_MD5      },
	{ "CRAM-SHA1",   DIGEST_SHA1     },
	{ "CRAM-RIPEMD", DIGEST_RIPEMD160},
};

static int
parse_request(struct strv bytes, struct request *out)
{
	while (bytes.len > 0) {
		if (out->count == FIELDS_MAX ||
		    netstring_take(
			&bytes, REQUEST_MAX, &out->fields[out->count]) < 0)
			return QE_SYNTAX;
		out->count++;
	}
	return out->count > 0 ? 0 : QE_SYNTAX;
}

static int
do_cram(enum digest digest, const struct request *q, struct buf *out)
{
	unsigned char mac[DIGEST_SIZE_MAX];
	struct buf hex = BUF_INIT;
	int r = digest_hmac(digest, q->fields[1], q->fields[2], mac);

	if (r < 0)
		return r;
	secret_add_hex(&hex, mac, digest_size(digest));
	netstring_add(out, buf_view(&hex));
	r = hex.err;
	buf_free_secret(&hex);
	explicit_bzero(mac, sizeof(mac));
	return r;
}

static struct strv
view_of(const unsigned char bytes[DIGEST_SIZE_MAX])
{
	return strv_from((const char *)bytes, digest_size(DIGEST_SHA256));
}

/* RFC 5802 section 3, from SaltedPassword on. */
static int
finish_scram(const unsigned char *salted, struct strv message, struct buf *out)
{
	unsigned char key[DIGEST_SIZE_MAX], stored[DIGEST_SIZE_MAX];
	unsigned char signature[DIGEST_SIZE_MAX];
	struct strv client_key = view_of(key);
	int r = digest_hmac(
	    DIGEST_SHA256, view_of(salted), STRV("Client Key"), key);

	if (r == 0)
		r = digest_make(DIGEST_SHA256, &client_key, 1, stored);
	if (r == 0)
		r = digest_hmac(
		    DIGEST_SHA256, view_of(stored), message, signature);
	for (size_t i = 0; r == 0 && i < digest_size(DIGEST_SHA256); i++)
		key[i] ^= signature[i];
	netstring_add(out, view_of(key));
	if (r == 0)
		r = digest_hmac(
		    DIGEST_SHA256, view_of(salted), STRV("Server Key"), key);
	if (r == 0)
		r = digest_hmac(
		    DIGEST_SHA256, view_of(key), message, signature);
	netstring_add(out, view_of(signature));
	explicit_bzero(key, sizeof(key));
	explicit_bzero(stored, sizeof(stored));
	return r;
}

static int
do_scram(const struct request *q, struct buf *out)
{
	unsigned char salted[DIGEST_SIZE_MAX];
	uint64_t iterations;
	int r = strv_to_u64(q->fields[3], ITERATIONS_MAX, &iterations);

	if (r == 0 && iterations == 0)
		r = QE_SYNTAX;
	if (r == 0)
		r = digest_pbkdf2(DIGEST_SHA256, q->fields[1], q->fields[2],
		    (unsigned)iterations, salted);
	if (r == 0)
		r = finish_scram(salted, q->fields[4], out);
	explicit_bzero(salted, sizeof(salted));
	return r;
}

static int
answer(const struct request *q, struct buf *out)
{
	if (q->count == 5 && strv_eq(q->fields[0], STRV("SCRAM-SHA-256")))
		return do_scram(q, out);
	if (q->count != 3)
		return QE_SYNTAX;
	for (size_t i = 0; i < sizeof(crams) / sizeof(*crams); i++)
		if (strv_eq(q->fields[0], strv_of(crams[i].name)))
			return do_cram(crams[i].digest, q, out);
	return QE_SYNTAX;
}

/* The whole of descriptor 0, which is a pipe. */
static int
read_all(struct buf *out)
{
	for (;;) {
		char *to = buf_reserve(out, 4096);
		ssize_t got = to == NULL ? -1 : io_read(0, to, 4096);

		if (got <= 0)
			return out->err != 0 ? out->err : got == 0 ? 0 : QE_SYS;
		out->len += (size_t)got;
	}
}

int
main(void)
{
	static const struct program program = { .name = "qmail-digest",
		.flags = PROGRAM_FD0 | PROGRAM_FD1,
		.umask = 077 };
	struct buf in = BUF_LIMIT(2 * REQUEST_MAX), out = BUF_INIT;
	struct request request = { .count = 0 };
	int r;

	program_begin(&program);
	r = read_all(&in);
	if (r == 0)
		r = parse_request(buf_view(&in), &request);
	if (r == 0)
		r = answer(&request, &out);
	if (r == 0)
		r = out.err != 0 ? out.err : io_write_all(1, out.data, out.len);
	buf_free_secret(&in);
	buf_free_secret(&out);
	if (r == QE_SYNTAX || r == QE_LIMIT)
		die(EX_PERMANENT, "unable to understand the request");
	if (r == QE_ABSENT)
		return EXIT_NOT_HERE;
	return r == 0 ? 0 : EX_TEMPORARY;
}
