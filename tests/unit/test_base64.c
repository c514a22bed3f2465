/* mail/base64: RFC 4648 section 10, round trips, and one form only. */
#include "mail/base64.h"
#include "unit.h"

static void
assert_both(struct strv plain, struct strv coded)
{
	struct buf b = BUF_INIT;

	base64_encode(&b, plain);
	assert_same(buf_view(&b), coded);
	buf_reset(&b);
	assert_int_equal(base64_decode(&b, coded), 0);
	assert_same(buf_view(&b), plain);
	buf_free(&b);
}

static void
test_base64_vectors(void **state)
{
	(void)state;
	assert_both(STRV_EMPTY, STRV_EMPTY);
	assert_both(STRV("f"), STRV("Zg=="));
	assert_both(STRV("fo"), STRV("Zm8="));
	assert_both(STRV("foo"), STRV("Zm9v"));
	assert_both(STRV("foob"), STRV("Zm9vYg=="));
	assert_both(STRV("fooba"), STRV("Zm9vYmE="));
	assert_both(STRV("foobar"), STRV("Zm9vYmFy"));
	assert_both(STRV("\0tim\0tanstaaftanstaaf"),
	    STRV("AHRpbQB0YW5zdGFhZnRhbnN0YWFm"));
	assert_both(STRV("\xff\xfe\xfd\xfb\xef\xbf"), STRV("//79+++/"));
}

static void
test_base64_round_trip(void **state)
{
	uint32_t seed = 7;
	char bytes[100];

	(void)state;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct buf coded = BUF_INIT, again = BUF_INIT;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (char)unit_random(&seed);
		base64_encode(&coded, strv_from(bytes, n));
		assert_int_equal(coded.len, (n + 2) / 3 * 4);
		assert_int_equal(base64_decode(&again, buf_view(&coded)), 0);
		assert_same(buf_view(&again), strv_from(bytes, n));
		buf_free(&coded);
		buf_free(&again);
	}
}

static void
test_base64_refuses(void **state)
{
	static const char *const wrong[] = { "Z", "Zg", "Zg=", "Zg===", "=",
		"====", "Z===", "Zm9", "Zm9v\n", " Zm9v", "Zm9v ", "Zm 9v",
		"Zm-_", "Zm9v*AAA", "Zh==", "Zm9=", "Zg==Zg==", "Zm8=Zm9v",
		"Zg=a", "\xff\xff\xff\xff", "AAA\xc3" };
	struct buf b = BUF_INIT;

	(void)state;
	buf_add_str(&b, "before");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(
		    base64_decode(&b, strv_of(wrong[i])), QE_SYNTAX);
		assert_buf(&b, "before");
	}
	assert_int_equal(base64_decode(&b, STRV("AAAA\0AAA")), QE_SYNTAX);
	/* What stands behind the text is none of it. */
	for (size_t n = 1; n < 8; n++)
		assert_int_equal(
		    base64_decode(&b, strv_from("Zm9vYmFyZm9v", n)),
		    n == 4 ? 0 : QE_SYNTAX);
	buf_free(&b);
}

static void
test_base64_keeps_the_limit(void **state)
{
	struct buf b = BUF_LIMIT(5);

	(void)state;
	assert_int_equal(base64_decode(&b, STRV("Zm9vYmFy")), QE_LIMIT);
	assert_true(b.len <= 5);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64_vectors),
		cmocka_unit_test(test_base64_round_trip),
		cmocka_unit_test(test_base64_refuses),
		cmocka_unit_test(test_base64_keeps_the_limit),
	};

	return RUN_TESTS(tests);
}
