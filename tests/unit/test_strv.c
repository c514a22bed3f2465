/* base/strv: views and the one decimal parser. */
#include "base/strv.h"
#include "unit.h"

static void
test_strv_makes(void **state)
{
	(void)state;
	assert_view(strv_of(NULL), "");
	assert_non_null(strv_of(NULL).ptr);
	assert_view(strv_of("abc"), "abc");
	assert_view(strv_from("abc", 2), "ab");
	assert_int_equal(STRV("a\0b").len, 3);
	assert_int_equal(strv_fmt_len(STRV("abc")), 3);
	assert_int_equal(
	    strv_fmt_len(strv_from("", (size_t)INT32_MAX + 1)), INT32_MAX);
}

static void
test_strv_compares(void **state)
{
	(void)state;
	assert_true(strv_eq(STRV("a\0b"), STRV("a\0b")));
	assert_false(strv_eq(STRV("a\0b"), STRV("a\0c")));
	assert_false(strv_eq(STRV("a"), STRV("ab")));
	assert_true(strv_eq(STRV_EMPTY, STRV("")));
	assert_true(strv_eq_nocase(STRV("aZ"), STRV("Az")));
	assert_false(strv_eq_nocase(STRV("\xc4"), STRV("\xe4")));
	assert_false(strv_eq_nocase(STRV("@"), STRV("`")));
	assert_true(strv_starts(STRV("abc"), STRV("ab")));
	assert_true(strv_starts(STRV("abc"), STRV_EMPTY));
	assert_false(strv_starts(STRV("ab"), STRV("abc")));
	assert_true(strv_starts_nocase(STRV("ABC"), STRV("ab")));
	assert_true(strv_ends_nocase(STRV("x.COM"), STRV(".com")));
	assert_false(strv_ends_nocase(STRV("om"), STRV(".com")));
}

static void
test_strv_finds(void **state)
{
	(void)state;
	assert_int_equal(strv_find(STRV("abab"), 'b'), 1);
	assert_int_equal(strv_rfind(STRV("abab"), 'b'), 3);
	assert_true(strv_find(STRV("abab"), 'c') == STRV_NPOS);
	assert_true(strv_rfind(STRV_EMPTY, 'c') == STRV_NPOS);
	assert_int_equal(strv_find(STRV("a\0"), '\0'), 1);
}

static void
test_strv_slices(void **state)
{
	(void)state;
	assert_view(strv_head(STRV("abc"), 2), "ab");
	assert_view(strv_head(STRV("abc"), 9), "abc");
	assert_view(strv_head(STRV("abc"), STRV_NPOS), "abc");
	assert_view(strv_skip(STRV("abc"), 2), "c");
	assert_view(strv_skip(STRV("abc"), 9), "");
	assert_view(strv_trim_blanks(STRV(" \ta b\t ")), "a b");
	assert_view(strv_trim_blanks(STRV(" \t ")), "");
	assert_view(strv_trim_end(STRV(" a \n\t\n")), " a");
	assert_view(strv_trim_end(STRV("a\r\n")), "a\r");
	assert_view(strv_trim_end(STRV("\n")), "");
}

static void
test_strv_cut_line(void **state)
{
	struct strv rest = STRV("a\r\nb\r\r\n\nend\r");

	(void)state;
	assert_view(strv_cut_line(&rest), "a");
	assert_view(strv_cut_line(&rest), "b\r");
	assert_view(strv_cut_line(&rest), "");
	assert_view(strv_cut_line(&rest), "end");
	assert_int_equal(rest.len, 0);
	assert_view(strv_cut_line(&rest), "");
}

static void
test_strv_cut(void **state)
{
	struct strv rest = STRV("a:b:");
	bool found;

	(void)state;
	assert_view(strv_cut(&rest, ':', &found), "a");
	assert_true(found);
	assert_view(strv_cut(&rest, ':', &found), "b");
	assert_true(found);
	assert_view(rest, "");
	assert_view(strv_cut(&rest, ':', &found), "");
	assert_false(found);
	rest = STRV("abc");
	assert_view(strv_cut(&rest, ':', NULL), "abc");
	assert_view(rest, "");
}

static void
test_strv_to_u64(void **state)
{
	uint64_t n = 42;

	(void)state;
	assert_int_equal(strv_to_u64(STRV(""), 9, &n), QE_SYNTAX);
	assert_int_equal(strv_to_u64(STRV(" 1"), 9, &n), QE_SYNTAX);
	assert_int_equal(strv_to_u64(STRV("1 "), 9, &n), QE_SYNTAX);
	assert_int_equal(strv_to_u64(STRV("-1"), 9, &n), QE_SYNTAX);
	assert_int_equal(strv_to_u64(STRV("+1"), 9, &n), QE_SYNTAX);
	assert_int_equal(strv_to_u64(STRV("0x1"), 9, &n), QE_SYNTAX);
	assert_int_equal(strv_to_u64(STRV("1\0"), 9, &n), QE_SYNTAX);
	assert_int_equal(strv_to_u64(STRV("10"), 9, &n), QE_LIMIT);
	assert_int_equal(
	    strv_to_u64(STRV("18446744073709551616"), UINT64_MAX, &n),
	    QE_LIMIT);
	assert_int_equal(
	    strv_to_u64(STRV("99999999999999999999999x"), UINT64_MAX, &n),
	    QE_SYNTAX);
	assert_int_equal(n, 42);
	assert_int_equal(strv_to_u64(STRV("9"), 9, &n), 0);
	assert_int_equal(n, 9);
	assert_int_equal(strv_to_u64(STRV("007"), 9, &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(
	    strv_to_u64(STRV("18446744073709551615"), UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
}

static void
test_ascii(void **state)
{
	(void)state;
	for (int c = -128; c < 256; c++) {
		bool upper = c >= 'A' && c <= 'Z';
		bool lower = c >= 'a' && c <= 'z';

		assert_int_equal(
		    ascii_lower((char)c), upper ? (char)(c + 32) : (char)c);
		assert_int_equal(ascii_is_alpha((char)c), upper || lower);
		assert_int_equal(ascii_is_digit((char)c), c >= '0' && c <= '9');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strv_makes),
		cmocka_unit_test(test_strv_compares),
		cmocka_unit_test(test_strv_finds),
		cmocka_unit_test(test_strv_slices),
		cmocka_unit_test(test_strv_cut),
		cmocka_unit_test(test_strv_cut_line),
		cmocka_unit_test(test_strv_to_u64),
		cmocka_unit_test(test_ascii),
	};

	return RUN_TESTS(tests);
}
