/* mail/netstring: round trip, torn input, hostile lengths. */
#include "mail/netstring.h"
#include "unit.h"

static int
take(struct strv in, size_t max, struct strv *out)
{
	return netstring_take(&in, max, out);
}

static void
test_netstring_round_trip(void **state)
{
	struct buf b = BUF_INIT;
	struct strv in, out;

	(void)state;
	netstring_add(&b, STRV("hello"));
	netstring_add(&b, STRV_EMPTY);
	netstring_add(&b, STRV("a\0,b"));
	assert_buf(&b, "5:hello,0:,4:a\0,b,");
	in = buf_view(&b);
	assert_int_equal(netstring_take(&in, 100, &out), 0);
	assert_view(out, "hello");
	assert_int_equal(netstring_take(&in, 100, &out), 0);
	assert_view(out, "");
	assert_int_equal(netstring_take(&in, 100, &out), 0);
	assert_view(out, "a\0,b");
	assert_int_equal(netstring_take(&in, 100, &out), QE_EOF);
	buf_free(&b);
}

static void
test_netstring_wants_more_of_a_torn_one(void **state)
{
	static const char whole[] = "12:hello world!,";
	struct strv out = STRV("untouched");

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		struct strv in = strv_from(whole, n);

		assert_int_equal(netstring_take(&in, 100, &out), QE_EOF);
		assert_int_equal(in.len, n);
		assert_view(out, "untouched");
	}
	assert_int_equal(take(STRV("12:hello world!,"), 100, &out), 0);
}

static void
test_netstring_refuses(void **state)
{
	struct strv out;

	(void)state;
	assert_int_equal(take(STRV("x"), 9, &out), QE_SYNTAX);
	assert_int_equal(take(STRV(":"), 9, &out), QE_SYNTAX);
	assert_int_equal(take(STRV("-1:a,"), 9, &out), QE_SYNTAX);
	assert_int_equal(take(STRV("+1:a,"), 9, &out), QE_SYNTAX);
	assert_int_equal(take(STRV(" 1:a,"), 9, &out), QE_SYNTAX);
	assert_int_equal(take(STRV("01:a,"), 9, &out), QE_SYNTAX);
	assert_int_equal(take(STRV("00:,"), 9, &out), QE_SYNTAX);
	assert_int_equal(take(STRV("1;a,"), 9, &out), QE_SYNTAX);
	assert_int_equal(take(STRV("1:ab"), 9, &out), QE_SYNTAX);
	assert_int_equal(take(STRV("10:aaaaaaaaaa,"), 9, &out), QE_LIMIT);
	assert_int_equal(
	    take(STRV("18446744073709551616:"), 9, &out), QE_LIMIT);
	assert_int_equal(
	    take(STRV("18446744073709551615:"), SIZE_MAX, &out), QE_EOF);
	assert_int_equal(
	    take(STRV("9999999999999999999999999999999"), SIZE_MAX, &out),
	    QE_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_netstring_round_trip),
		cmocka_unit_test(test_netstring_wants_more_of_a_torn_one),
		cmocka_unit_test(test_netstring_refuses),
	};

	return RUN_TESTS(tests);
}
