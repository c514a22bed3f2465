/* conf/destination_rule: what a line of control/destinations means. */
#include "conf/destination_rule.h"
#include "unit.h"

static void
expect(struct strv value, unsigned concurrency, uint64_t rate)
{
	struct destination_rule rule = { 77, 77 };

	assert_int_equal(destination_rule_parse(value, &rule), 0);
	assert_int_equal(rule.concurrency, concurrency);
	assert_int_equal(rule.rate, rate);
}

static void
test_values(void **state)
{
	(void)state;
	expect(STRV("5"), 5, 0);
	expect(STRV("0"), 0, 0);
	expect(STRV("65000:1000000"), 65000, 1000000000);
	expect(STRV(":10"), DESTINATION_CONCURRENCY, 10000);
	expect(STRV("3:"), 3, 0);
	expect(STRV(" 3 : 0.5 "), 3, 500);
	expect(STRV("1:0.001"), 1, 1);
	expect(STRV("1:12.25"), 1, 12250);
}

static void
test_nonsense(void **state)
{
	static const char *const values[] = { "", ":", "x", "-1", "1:x", "1:0",
		"1:0.0", "1:.5", "1:1.", "1:1.2345", "1:2:3", "65001",
		"1:1000001", "1:1.-1", "99999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct destination_rule rule = { 77, 78 };

		assert_true(
		    destination_rule_parse(strv_of(values[i]), &rule) < 0);
		assert_int_equal(rule.concurrency, 77);
		assert_int_equal(rule.rate, 78);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_nonsense),
	};

	return RUN_TESTS(tests);
}
