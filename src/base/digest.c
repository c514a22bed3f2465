/*
 * The thin wrapper over libcrypto's EVP.  An algorithm is fetched at its first
 * use and kept; the legacy provider is loaded only where the default one does
 * not have what is asked for.
 */
#include "base/digest.h"
#include "base/error.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/provider.h>
#include <string.h>

static const struct {
	const char *name;
	size_t size;
} digests[DIGEST_COUNT] = {
	[DIGEST_MD5] = {"MD5",        16},
	[DIGEST_SHA1] = { "SHA1",      20},
	[DIGEST_RIPEMD160] = { "RIPEMD160", 20},
	[DIGEST_SHA256] = { "SHA2-256",  32},
};

/*
 * A provider that is asked for by name is no longer loaded by itself, so the
 * default one is, first.
 */
static EVP_MD *
fetch_legacy(const char *name)
{
	if (OSSL_PROVIDER_load(NULL, "default") == NULL ||
	    OSSL_PROVIDER_load(NULL, "legacy") == NULL)
		return NULL;
	return EVP_MD_fetch(NULL, name, NULL);
}

static const EVP_MD *
find(enum digest d)
{
	static EVP_MD *fetched[DIGEST_COUNT];

	if (fetched[d] == NULL) {
		/* The system's configuration has nothing to say about it. */
		OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
		fetched[d] = EVP_MD_fetch(NULL, digests[d].name, NULL);
	}
	if (fetched[d] == NULL)
		fetched[d] = fetch_legacy(digests[d].name);
	return fetched[d];
}

bool
digest_is_available(enum digest d)
{
	return find(d) != NULL;
}

size_t
digest_size(enum digest d)
{
	return digests[d].size;
}

static bool
update_all(EVP_MD_CTX *work, const EVP_MD *md, const struct strv *parts,
    size_t count, unsigned char *out)
{
	bool good = EVP_DigestInit_ex2(work, md, NULL) == 1;

	for (size_t i = 0; good && i < count; i++)
		good = EVP_DigestUpdate(work, parts[i].ptr, parts[i].len) == 1;
	return good && EVP_DigestFinal_ex(work, out, NULL) == 1;
}

int
digest_make(
    enum digest d, const struct strv *parts, size_t count, unsigned char *out)
{
	const EVP_MD *md = find(d);
	EVP_MD_CTX *work;
	bool good;

	if (md == NULL)
		return QE_ABSENT;
	work = EVP_MD_CTX_new();
	good = work != NULL && update_all(work, md, parts, count, out);
	EVP_MD_CTX_free(work);
	return good ? 0 : QE_TEMP;
}

int
digest_hmac(
    enum digest d, struct strv key, struct strv message, unsigned char *out)
{
	const EVP_MD *md = find(d);

	if (md == NULL)
		return QE_ABSENT;
	if (key.len > INT_MAX)
		return QE_LIMIT;
	if (HMAC(md, key.ptr, (int)key.len, (const unsigned char *)message.ptr,
		message.len, out, NULL) == NULL)
		return QE_TEMP;
	return 0;
}

int
digest_pbkdf2(enum digest d, struct strv password, struct strv salt,
    unsigned iterations, unsigned char *out)
{
	const EVP_MD *md = find(d);

	if (md == NULL)
		return QE_ABSENT;
	if (password.len > INT_MAX || salt.len > INT_MAX ||
	    iterations > INT_MAX || iterations == 0)
		return QE_LIMIT;
	if (PKCS5_PBKDF2_HMAC(password.ptr, (int)password.len,
		(const unsigned char *)salt.ptr, (int)salt.len, (int)iterations,
		md, (int)digests[d].size, out) != 1)
		return QE_TEMP;
	return 0;
}
