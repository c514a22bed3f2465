/* smtp/spamd: scores and responses. */
#include "base/error.h"
#include "smtp/spamd.h"
#include "unit.h"

static void
score_is(const char *text, int want, const char *said)
{
	struct buf out = BUF_INIT;
	int score;

	assert_int_equal(spamd_parse_score(strv_of(text), &score), 0);
	assert_int_equal(score, want);
	spamd_add_score(&out, score);
	assert_string_equal(buf_cstr(&out), said);
	buf_free(&out);
}

static void
test_spamd_score(void **state)
{
	static const char *const bad[] = { "", "-", ".", "1.", ".5", "x", "1.x",
		"--1", "100001", "1.5 ", "+1", "1.-5", "1e5" };
	int score;

	(void)state;
	score_is("15.3", 15300, "15.3");
	score_is("-0.25", -250, "-0.2");
	score_is("-0.01", -10, "0.0");
	score_is("5", 5000, "5.0");
	score_is("1.99999", 1999, "1.9");
	score_is("100000", 100000000, "100000.0");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    spamd_parse_score(strv_of(bad[i]), &score), QE_SYNTAX);
}

static int
parse(const char *text, struct spamd_result *result, char tests[700])
{
	struct buf out = BUF_LIMIT(SPAMD_TESTS_MAX);
	int r = spamd_parse(strv_of(text), result, &out);

	snprintf(tests, 700, "%s", r == 0 ? buf_cstr(&out) : "");
	buf_free(&out);
	return r;
}

static void
test_spamd_parse(void **state)
{
	struct spamd_result result;
	char tests[700];

	(void)state;
	assert_int_equal(parse("SPAMD/1.1 0 EX_OK\r\nContent-length: 9\r\n"
			       "Spam: True ; 15.3 / 5.0\r\n\r\n"
			       "A_1,b, C\r\n",
			     &result, tests),
	    0);
	assert_true(result.is_spam);
	assert_int_equal(result.score, 15300);
	assert_int_equal(result.required, 5000);
	assert_string_equal(tests, "A_1,b,C");
	assert_int_equal(
	    parse("SPAMD/1.5 0 EX_OK\nspam:No;-1/5\n", &result, tests), 0);
	assert_false(result.is_spam);
	assert_int_equal(result.score, -1000);
	assert_string_equal(tests, "");
	/* Nothing but names gets through. */
	assert_int_equal(parse("SPAMD/1.5 0 EX_OK\nSpam: No ; 1 / 5\n\n"
			       "A\tB,OK,x\x01,,\r\nD",
			     &result, tests),
	    0);
	assert_string_equal(tests, "OK");
}

static void
test_spamd_parse_is_none(void **state)
{
	static const char *const bad[] = { "", "\n", "SPAMD/1.1\n",
		"SPAMD/1.1 76 EX_PROTOCOL\r\nSpam: No ; 1 / 5\r\n",
		"HTTP/1.1 0 x\nSpam: No ; 1 / 5\n",
		"SPAMD/1.1 0 EX_OK\r\n\r\nSpam: No ; 1 / 5\r\n",
		"SPAMD/1.1 0 EX_OK\r\nSpam: maybe ; 1 / 5\r\n",
		"SPAMD/1.1 0 EX_OK\r\nSpam: No\r\n",
		"SPAMD/1.1 0 EX_OK\r\nSpam: No ; 1\r\n",
		"SPAMD/1.1 0 EX_OK\r\nSpam: No ; nan / 5\r\n",
		"SPAMD/1.1 0 EX_OK\r\nSpam: No ; 1 / \r\n" };
	struct spamd_result result;
	char tests[700];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(parse(bad[i], &result, tests), QE_SYNTAX);
}

static void
test_spamd_tests_are_cut_between_names(void **state)
{
	struct buf text = BUF_INIT;
	struct spamd_result result;
	char tests[700];

	(void)state;
	buf_add_str(&text, "SPAMD/1.1 0 EX_OK\nSpam: No ; 1 / 5\n\n");
	for (int i = 0; i < 200; i++)
		buf_add_str(&text, "ABCDEFG,");
	assert_int_equal(parse(buf_cstr(&text), &result, tests), 0);
	assert_true(strlen(tests) <= SPAMD_TESTS_MAX);
	assert_true(strlen(tests) > SPAMD_TESTS_MAX - 9);
	assert_int_equal(strlen(tests) % 8, 7);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spamd_score),
		cmocka_unit_test(test_spamd_parse),
		cmocka_unit_test(test_spamd_parse_is_none),
		cmocka_unit_test(test_spamd_tests_are_cut_between_names),
	};

	return RUN_TESTS(tests);
}
