/* mail/maildirsize: what a maildirsize file says, and file names. */
#include "mail/maildirsize.h"
#include "unit.h"

static void
expect(const char *text, int result, int64_t max_bytes, int64_t max_messages,
    int64_t bytes, int64_t messages)
{
	struct maildirsize size;

	assert_int_equal(maildirsize_parse(strv_of(text), &size), result);
	if (result == QE_SYNTAX)
		return;
	assert_int_equal(size.max_bytes, max_bytes);
	assert_int_equal(size.max_messages, max_messages);
	if (result != 0)
		return;
	assert_int_equal(size.bytes, bytes);
	assert_int_equal(size.messages, messages);
}

static void
test_maildirsize_quota(void **state)
{
	(void)state;
	expect("1000S\n", 0, 1000, 0, 0, 0);
	expect("1000S", 0, 1000, 0, 0, 0);
	expect("1000S,20C\n", 0, 1000, 20, 0, 0);
	expect("20C, 1000S \n", 0, 1000, 20, 0, 0);
	expect("0S\n", 0, 0, 0, 0, 0);
	expect("1000S,7X\n", 0, 1000, 0, 0, 0);
	expect("", QE_SYNTAX, 0, 0, 0, 0);
	expect("\n", QE_SYNTAX, 0, 0, 0, 0);
	expect("1000\n", QE_SYNTAX, 0, 0, 0, 0);
	expect("S\n", QE_SYNTAX, 0, 0, 0, 0);
	expect("-1S\n", QE_SYNTAX, 0, 0, 0, 0);
	expect("1000S,\n", QE_SYNTAX, 0, 0, 0, 0);
	expect("5 \n", QE_SYNTAX, 0, 0, 0, 0);
	expect("99999999999999999999S\n", QE_SYNTAX, 0, 0, 0, 0);
	expect("99999999999999999S\n", QE_SYNTAX, 0, 0, 0, 0);
}

static void
test_maildirsize_sums(void **state)
{
	(void)state;
	expect("9S\n100 2\n", 0, 9, 0, 100, 2);
	expect("9S\n  100   2  \n-40 -1\n0 0\n", 0, 9, 0, 60, 1);
	expect("9S\n100 2\n-40 -3\n", QE_CORRUPT, 9, 0, 0, 0);
	expect("9S\n-40 -1\n100 2\n", 0, 9, 0, 60, 1);
	expect("9S\n100 2\n4", QE_CORRUPT, 9, 0, 0, 0);
	expect("9S\n100 2\n\n", QE_CORRUPT, 9, 0, 0, 0);
	expect("9S\n100\n", QE_CORRUPT, 9, 0, 0, 0);
	expect("9S\n1 2 3\n", QE_CORRUPT, 9, 0, 0, 0);
	expect("9S\n--1 2\n", QE_CORRUPT, 9, 0, 0, 0);
	expect("9S\n72057594037927936 1\n1 1\n", QE_CORRUPT, 9, 0, 0, 0);
	expect("9S\n72057594037927937 1\n", QE_CORRUPT, 9, 0, 0, 0);
}

static void
test_maildirsize_admits(void **state)
{
	struct maildirsize size;

	(void)state;
	assert_int_equal(maildirsize_parse(STRV("100S,3C\n40 2\n"), &size), 0);
	assert_int_equal(size.lines, 1);
	assert_view(size.quota, "100S,3C");
	assert_true(maildirsize_admits(&size, 60, 1));
	assert_false(maildirsize_admits(&size, 61, 1));
	assert_false(maildirsize_admits(&size, 1, 2));
	assert_false(maildirsize_admits(&size, INT64_MAX, 1));
	size.max_bytes = size.max_messages = 0;
	assert_true(maildirsize_admits(&size, INT64_MAX, INT64_MAX));
}

static void
test_maildirsize_round_trip(void **state)
{
	struct buf text = BUF_INIT;
	struct maildirsize size;

	(void)state;
	buf_add_str(&text, "1S\n");
	maildirsize_add_line(&text, 70, 7);
	maildirsize_add_line(&text, -30, -2);
	assert_buf(&text, "1S\n70 7\n-30 -2\n");
	assert_int_equal(maildirsize_parse(buf_view(&text), &size), 0);
	assert_int_equal(size.bytes, 40);
	assert_int_equal(size.messages, 5);
	assert_int_equal(size.lines, 2);
	buf_free(&text);
}

static void
test_maildirsize_names(void **state)
{
	(void)state;
	assert_int_equal(maildirsize_of_name(STRV("1.2.h,S=70")), 70);
	assert_int_equal(maildirsize_of_name(STRV("1.2.h,S=70:2,RS")), 70);
	assert_int_equal(maildirsize_of_name(STRV("1.2.h,W=9,S=70,X:2,")), 70);
	assert_int_equal(maildirsize_of_name(STRV("S=70.2.h")), -1);
	assert_int_equal(maildirsize_of_name(STRV("1.2.h:2,S=70")), -1);
	assert_int_equal(maildirsize_of_name(STRV("1.2.h,S=")), -1);
	assert_int_equal(maildirsize_of_name(STRV("1.2.h,S=-7")), -1);
	assert_int_equal(maildirsize_of_name(STRV("")), -1);
	assert_true(maildirsize_counts(STRV("1.2.T,S=70")));
	assert_true(maildirsize_counts(STRV("1.2.h:2,RS")));
	assert_false(maildirsize_counts(STRV("1.2.h:2,RST")));
	assert_true(maildirsize_counts(STRV("1.2.h:1,T")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maildirsize_quota),
		cmocka_unit_test(test_maildirsize_sums),
		cmocka_unit_test(test_maildirsize_admits),
		cmocka_unit_test(test_maildirsize_round_trip),
		cmocka_unit_test(test_maildirsize_names),
	};

	return RUN_TESTS(tests);
}
