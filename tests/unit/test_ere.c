/* Expressions of regex(7): what is one, its translation, what it needs. */
#include "base/ere.h"
#include "base/error.h"
#include "unit.h"

static void
expect(const char *text, const char *pcre, const char *literals)
{
	struct ere ere = { .may_be_large = false };
	const char *why = "";
	char shown[200] = "";

	assert_int_equal(ere_translate(strv_of(text), &ere, &why), 0);
	assert_string_equal(buf_cstr(&ere.pcre), pcre);
	for (size_t i = 0; i < ere.literals.len; i++)
		shown[i] =
		    ere.literals.data[i] == '\0' ? '/' : ere.literals.data[i];
	assert_string_equal(shown, literals);
	ere_free(&ere);
}

static void
expect_error(const char *text, const char *expected)
{
	struct ere ere = { .may_be_large = false };
	const char *why = "";

	assert_int_equal(ere_translate(strv_of(text), &ere, &why), QE_SYNTAX);
	assert_string_equal(why, expected);
	ere_free(&ere);
}

static void
test_what_a_match_must_hold(void **state)
{
	(void)state;
	expect("spam", "spam", "spam/");
	expect("^.*@Spam[0-9]+\\.example$", "^.*\\@spam[0-9]+\\.example$",
	    "@spam/.example/");
	expect("a.b", "a.b", "a/b/");
	expect("colou?r", "colou?r", "colo/r/");
	expect("ab*c", "ab*c", "a/c/");
	expect("ab+c", "ab+c", "ab/c/");
	expect("ab{0,3}c", "ab{0,3}c", "a/c/");
	expect("ab{2}c", "ab{2}c", "ab/c/");
	expect("x(abc)y", "x(?:abc)y", "x/y/");
	expect("x(abc)?", "x(?:abc)?", "x/");
	expect("foo|bar", "foo|bar", "");
	expect("x(foo|bar)", "x(?:foo|bar)", "x/");
	expect("spam[.]com", "spam\\.com", "spam.com/");
	expect("spam[.]?com", "spam\\.?com", "spam/com/");
	expect("^$", "^$", "");
	expect("a\\bc", "a\\bc", "ac/");
	expect("()", "(?:)", "");
}

static void
test_braces_and_escapes(void **state)
{
	(void)state;
	expect("a{x", "a\\{x", "a{x/");
	expect("a{,3}", "a\\{\\,3\\}", "a{,3}/");
	expect("}", "\\}", "}/");
	expect("]", "\\]", "]/");
	expect("\\<x\\.\\\\", "\\<x\\.\\\\", "<x.\\/");
	expect("\\d+\\w\\S", "\\d+\\w\\S", "");
	expect("\\q", "q", "q/");
	expect("a b#", "a b\\#", "a b#/");
	expect("a{255}", "a{255}", "a/");
	expect("a{2,}", "a{2,}", "a/");
}

static void
test_brackets(void **state)
{
	(void)state;
	expect("[]a]", "[\\]a]", "");
	expect("[^]a]", "[^\\]a]", "");
	expect("[a-]", "[a\\-]", "");
	expect("[-a]", "[\\-a]", "");
	expect("[a-c-e]", "[a-c\\-e]", "");
	expect("[\\d]", "[\\\\d]", "");
	expect("[[:alpha:]_.]", "[[:alpha:]_\\.]", "");
	expect("[[.-.]x]", "[\\-x]", "");
	expect("[[=a=]]", "a", "a/");
	expect("[[.a.]-[.c.]]", "[a-c]", "");
	expect("[[:<:]]spam[[:>:]]", "\\b(?=\\w)spam\\b(?<=\\w)", "spam/");
	expect("[^a]", "[^a]", "");
	expect("[[a]", "[\\[a]", "");
}

static void
test_letters_are_lower_case(void **state)
{
	struct ere ere = { .may_be_large = false };
	const char *why = "";
	char text[ERE_BYTES_MAX];

	(void)state;
	expect("SpAm\\W", "spam\\W", "spam/");
	expect("[A-Z]", "[a-z]", "");
	expect("[B-Db-dX]", "[b-db-dx]", "");
	expect("[0-C]", "[a-c0-\\@]", "");
	expect("[X-b]", "[x-z\\[-b]", "");
	expect("[^!-~]", "[^a-z\\!-\\@\\[-\\~]", "");
	expect("[[:upper:]][[:lower:]]", "[[:lower:]][[:lower:]]", "");
	/* What grows most. */
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "!-~"[i % 3];
	text[0] = '[';
	text[sizeof(text) - 1] = ']';
	assert_int_equal(
	    ere_translate(strv_from(text, sizeof(text)), &ere, &why), 0);
	ere_free(&ere);
}

static void
test_what_is_no_expression(void **state)
{
	(void)state;
	expect_error("(", "unbalanced parenthesis");
	expect_error("a)", "unbalanced parenthesis");
	expect_error("[a", "unbalanced bracket");
	expect_error("[", "unbalanced bracket");
	expect_error("[]", "unbalanced bracket");
	expect_error("[z-a]", "a range is in the wrong order");
	expect_error("[a-[:digit:]]", "a range ends with a class");
	expect_error("[[:nope:]]", "unknown character class");
	expect_error("[[:alpha", "unknown character class");
	expect_error("[[.ch.]]", "unknown collating element");
	expect_error("*@spam.example", "nothing to repeat");
	expect_error("^*", "nothing to repeat");
	expect_error("a**", "nothing to repeat");
	expect_error("a+?", "nothing to repeat");
	expect_error("(?:a)", "nothing to repeat");
	expect_error("(*UTF)", "nothing to repeat");
	expect_error("{3}", "nothing to repeat");
	expect_error("a{2}{3}", "nothing to repeat");
	expect_error("a{3,2}", "a bound is in the wrong order");
	expect_error("a{256}", "a bound is above 255");
	expect_error(
	    "a{1,999999999999999999999}", "a bound is no number up to 255");
	expect_error("a{1", "unbalanced brace");
	expect_error("a{1x}", "unbalanced brace");
	expect_error("a|", "empty alternative");
	expect_error("|a", "empty alternative");
	expect_error("(a|)", "empty alternative");
	expect_error("(|a)", "empty alternative");
	expect_error("a||b", "empty alternative");
	expect_error("a\\", "backslash at the end");
	expect_error("(a)\\1", "back references are not supported");
	expect_error("", "empty alternative");
	expect_error("a\rb", "NUL or carriage return");
}

static void
test_limits(void **state)
{
	char text[ERE_BYTES_MAX + 2];
	struct ere ere = { .may_be_large = false };
	const char *why = "";

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(
	    ere_translate(strv_from(text, ERE_BYTES_MAX), &ere, &why), 0);
	assert_false(ere.may_be_large);
	assert_int_equal(
	    ere_translate(strv_from(text, ERE_BYTES_MAX + 1), &ere, &why),
	    QE_SYNTAX);
	assert_string_equal(why, "too long");
	memset(text, '(', sizeof(text));
	assert_int_equal(
	    ere_translate(strv_from(text, ERE_BYTES_MAX), &ere, &why),
	    QE_SYNTAX);
	assert_string_equal(why, "parentheses nest too deep");
	assert_int_equal(
	    ere_translate(STRV("((a{255}){255}){255}"), &ere, &why), 0);
	assert_true(ere.may_be_large);
	assert_int_equal(
	    ere_translate(STRV("^([0-9]{1,3}[.-]){4}"), &ere, &why), 0);
	assert_false(ere.may_be_large);
	assert_int_equal(
	    ere_translate(strv_from("a\0b", 3), &ere, &why), QE_SYNTAX);
	assert_int_equal(
	    ere_translate(strv_from("\\\0", 2), &ere, &why), QE_SYNTAX);
	ere_free(&ere);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_match_must_hold),
		cmocka_unit_test(test_braces_and_escapes),
		cmocka_unit_test(test_brackets),
		cmocka_unit_test(test_letters_are_lower_case),
		cmocka_unit_test(test_what_is_no_expression),
		cmocka_unit_test(test_limits),
	};

	return RUN_TESTS(tests);
}
