/* control/datechecks: prefixes and days. */
#include "base/error.h"
#include "conf/date_rules.h"
#include "scratch.h"

static void
test_prefixes_have_days(void **state)
{
	struct control_set rules;
	struct control_error err;
	int64_t days = 9;

	(void)state;
	unit_write("control/datechecks",
	    STRV("# lists\nqmail-list-:7\nNews-: 0 \nold-:36525\nnews-:3\n"));
	assert_int_equal(date_rules_load(&rules, &err), 0);
	assert_int_equal(
	    date_rules_find(&rules, STRV("Qmail-List-"), &days), 0);
	assert_int_equal(days, 7);
	assert_int_equal(date_rules_find(&rules, STRV("news-"), &days), 0);
	assert_int_equal(days, 3);
	assert_int_equal(
	    date_rules_find(&rules, STRV("qmail-list"), &days), QE_ABSENT);
	assert_int_equal(date_rules_find(&rules, STRV(""), &days), QE_ABSENT);
	assert_int_equal(days, 3);
	control_set_free(&rules);
}

static void
test_no_file_is_no_rule(void **state)
{
	struct control_set rules;
	struct control_error err;
	int64_t days;

	(void)state;
	assert_int_equal(date_rules_load(&rules, &err), 0);
	assert_int_equal(
	    date_rules_find(&rules, STRV("list-"), &days), QE_ABSENT);
	control_set_free(&rules);
}

static void
test_what_is_no_number_of_days(void **state)
{
	static const char *const wrong[] = { "l-:", "l-:soon", "l-:-1",
		"l-:36526", "l-:7 days", "l-:99999999999999999999", "l-:7.5" };
	struct control_set rules;
	struct control_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		unit_write("control/datechecks", strv_of(wrong[i]));
		assert_int_equal(date_rules_load(&rules, &err), QE_SYNTAX);
		assert_string_equal(err.text,
		    "control/datechecks line 1: not a number of days");
	}
	unit_write("control/datechecks", STRV("l-:7\r\n"));
	assert_int_equal(date_rules_load(&rules, &err), QE_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_prefixes_have_days,
		    scratch_enter_control, scratch_leave),
		cmocka_unit_test_setup_teardown(test_no_file_is_no_rule,
		    scratch_enter_control, scratch_leave),
		cmocka_unit_test_setup_teardown(test_what_is_no_number_of_days,
		    scratch_enter_control, scratch_leave),
	};

	return RUN_TESTS(tests);
}
