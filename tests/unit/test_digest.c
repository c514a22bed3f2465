/* base/digest, base/secret: published vectors, and what is not there. */
#include "base/digest.h"
#include "base/secret.h"
#include "unit.h"

static void
assert_hex(enum digest d, const unsigned char *bytes, const char *want)
{
	struct buf hex = BUF_INIT;

	secret_add_hex(&hex, bytes, digest_size(d));
	assert_same(buf_view(&hex), strv_of(want));
	buf_free(&hex);
}

static void
test_digest_vectors(void **state)
{
	static const struct strv parts[] = {
		{"a",   1},
                { "",   0},
                { "bc", 2}
	};
	static const char *const wanted[DIGEST_COUNT] = {
		[DIGEST_MD5] = "900150983cd24fb0d6963f7d28e17f72",
		[DIGEST_SHA1] = "a9993e364706816aba3e25717850c26c9cd0d89d",
		[DIGEST_RIPEMD160] = "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc",
		[DIGEST_SHA256] = "ba7816bf8f01cfea414140de5dae2223"
				  "b00361a396177a9cb410ff61f20015ad",
	};
	unsigned char out[DIGEST_SIZE_MAX];

	(void)state;
	for (int d = 0; d < DIGEST_COUNT; d++) {
		if (!digest_is_available((enum digest)d)) {
			assert_int_equal(d, DIGEST_RIPEMD160);
			assert_int_equal(
			    digest_make((enum digest)d, parts, 3, out),
			    QE_ABSENT);
			continue;
		}
		assert_int_equal(digest_make((enum digest)d, parts, 3, out), 0);
		assert_hex((enum digest)d, out, wanted[d]);
	}
}

/* RFC 2202, RFC 2286, RFC 4231: case 2. */
static void
test_digest_hmac_vectors(void **state)
{
	static const char *const wanted[DIGEST_COUNT] = {
		[DIGEST_MD5] = "750c783e6ab0b503eaa86e310a5db738",
		[DIGEST_SHA1] = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
		[DIGEST_RIPEMD160] = "dda6c0213a485a9e24f4742064a7f033b43c4069",
		[DIGEST_SHA256] = "5bdcc146bf60754e6a042426089575c7"
				  "5a003f089d2739839dec58b964ec3843",
	};
	unsigned char out[DIGEST_SIZE_MAX];

	(void)state;
	for (int d = 0; d < DIGEST_COUNT; d++) {
		if (!digest_is_available((enum digest)d))
			continue;
		assert_int_equal(digest_hmac((enum digest)d, STRV("Jefe"),
				     STRV("what do ya want for nothing?"), out),
		    0);
		assert_hex((enum digest)d, out, wanted[d]);
	}
}

/* RFC 7914 section 11; RFC 7677 section 3 for 4096 rounds. */
static void
test_digest_pbkdf2_vectors(void **state)
{
	unsigned char out[DIGEST_SIZE_MAX];

	(void)state;
	assert_int_equal(
	    digest_pbkdf2(DIGEST_SHA256, STRV("passwd"), STRV("salt"), 1, out),
	    0);
	assert_hex(DIGEST_SHA256, out,
	    "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
	assert_int_equal(digest_pbkdf2(DIGEST_SHA256, STRV("password"),
			     STRV("salt"), 4096, out),
	    0);
	assert_hex(DIGEST_SHA256, out,
	    "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a");
	assert_int_equal(
	    digest_pbkdf2(DIGEST_SHA256, STRV("x"), STRV("y"), 0, out),
	    QE_LIMIT);
}

static void
test_secret_equal(void **state)
{
	(void)state;
	assert_true(secret_equal("", "", 0));
	assert_true(secret_equal_view(STRV("abc"), STRV("abc")));
	assert_false(secret_equal_view(STRV("abc"), STRV("abd")));
	assert_false(secret_equal_view(STRV("abc"), STRV("bbc")));
	assert_false(secret_equal_view(STRV("abc"), STRV("ab")));
	assert_true(secret_equal_view(STRV("\0\xff"), STRV("\0\xff")));
	assert_false(secret_equal_view(STRV("\0\xff"), STRV("\0\x7f")));
}

static void
test_secret_random(void **state)
{
	unsigned char a[32] = { 0 }, b[32] = { 0 };
	unsigned char many[SECRET_RANDOM_MAX + 1];

	(void)state;
	assert_int_equal(secret_random(a, sizeof(a)), 0);
	assert_int_equal(secret_random(b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_int_equal(secret_random(many, sizeof(many)), QE_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest_vectors),
		cmocka_unit_test(test_digest_hmac_vectors),
		cmocka_unit_test(test_digest_pbkdf2_vectors),
		cmocka_unit_test(test_secret_equal),
		cmocka_unit_test(test_secret_random),
	};

	return RUN_TESTS(tests);
}
