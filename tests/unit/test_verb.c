/* smtp/verb: command lines and ESMTP parameters. */
#include "smtp/verb.h"
#include "unit.h"

static void
check(struct strv line, struct strv verb, struct strv argument)
{
	struct verb_line v = verb_split(line);

	assert_same(v.verb, verb);
	assert_same(v.argument, argument);
}

static void
test_verb_split(void **state)
{
	(void)state;
	check(STRV("MAIL FROM:<a@b> "), STRV("MAIL"), STRV("FROM:<a@b>"));
	check(STRV("quit"), STRV("quit"), STRV_EMPTY);
	check(STRV("ehlo\t x y "), STRV("ehlo"), STRV("x y"));
	check(STRV(""), STRV_EMPTY, STRV_EMPTY);
	check(STRV(" NOOP"), STRV_EMPTY, STRV("NOOP"));
	check(STRV("DATA   "), STRV("DATA"), STRV_EMPTY);
}

static void
test_esmtp_parameters(void **state)
{
	struct strv rest = STRV("  SIZE=123 body=8BITMIME SMTPUTF8\tX-a=b=c ");
	struct strv key, value;

	(void)state;
	assert_int_equal(esmtp_parameter_next(&rest, &key, &value), 0);
	assert_view(key, "SIZE");
	assert_view(value, "123");
	assert_int_equal(esmtp_parameter_next(&rest, &key, &value), 0);
	assert_view(key, "body");
	assert_view(value, "8BITMIME");
	assert_int_equal(esmtp_parameter_next(&rest, &key, &value), 0);
	assert_view(key, "SMTPUTF8");
	assert_view(value, "");
	assert_int_equal(esmtp_parameter_next(&rest, &key, &value), 0);
	assert_view(key, "X-a");
	assert_view(value, "b=c");
	assert_int_equal(esmtp_parameter_next(&rest, &key, &value), QE_EOF);
}

static void
test_esmtp_parameters_refuse(void **state)
{
	static const struct strv bad[] = {
		{"=1",        2},
		{ "-A=1",     4},
		{ "A_B=1",    5},
		{ "<a@b>",    5},
		{ "A=\x01",   3},
		{ "A=\xff",   3},
		{ "A=b\x7f",  4},
		{ "A\0B=1",   5},
		{ "\xc3\xa4", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct strv rest = bad[i];
		struct strv key = STRV("key"), value = STRV("value");

		assert_int_equal(
		    esmtp_parameter_next(&rest, &key, &value), QE_SYNTAX);
		assert_same(rest, bad[i]);
		assert_view(key, "key");
		assert_view(value, "value");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verb_split),
		cmocka_unit_test(test_esmtp_parameters),
		cmocka_unit_test(test_esmtp_parameters_refuse),
	};

	return RUN_TESTS(tests);
}
