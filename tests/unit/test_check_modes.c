/* control/checks: names and modes, and that qmail-smtpd knows the same. */
#include "base/error.h"
#include "conf/check_modes.h"
#include "scratch.h"
#include "smtpd/checks/list.h"

static void
test_modes_are_found(void **state)
{
	struct control_set modes;
	struct control_error err;

	(void)state;
	assert_int_equal(check_modes_load(&modes, &err), 0);
	assert_int_equal(check_modes_find(&modes, "badhelo"), CHECK_ON);
	control_set_free(&modes);
	unit_write("control/checks",
	    STRV("# comment\nbadhelo: Watch \nBADMAILTO:off\nmfcheck:off\n"
		 "mfcheck:on\n"));
	assert_int_equal(check_modes_load(&modes, &err), 0);
	assert_int_equal(check_modes_find(&modes, "badhelo"), CHECK_WATCH);
	assert_int_equal(check_modes_find(&modes, "badmailto"), CHECK_OFF);
	assert_int_equal(check_modes_find(&modes, "mfcheck"), CHECK_ON);
	assert_int_equal(check_modes_find(&modes, "maxrcpt"), CHECK_ON);
	control_set_free(&modes);
}

static void
expect_error(const char *text, const char *why)
{
	struct control_set modes;
	struct control_error err;

	unit_write("control/checks", strv_of(text));
	assert_int_equal(check_modes_load(&modes, &err), QE_SYNTAX);
	assert_string_equal(err.text, why);
}

static void
test_what_makes_no_sense_is_named(void **state)
{
	(void)state;
	expect_error("\nnosuch:off\n", "control/checks line 2: no such check");
	expect_error("badhelo:maybe\n",
	    "control/checks line 1: neither off, watch nor on");
	expect_error(
	    "badhelo:\n", "control/checks line 1: neither off, watch nor on");
	expect_error("badhelo:off\r\n",
	    "control/checks line 1: carriage return at the end");
}

static bool
is_listed(const char *name)
{
	for (size_t i = 0; i < checks_count; i++)
		if (strcmp(checks_list[i]->name, name) == 0)
			return true;
	return false;
}

static void
test_names_are_those_of_the_list(void **state)
{
	struct control_set modes;
	struct control_error err;

	(void)state;
	for (size_t i = 0; i < check_names_count; i++)
		assert_true(is_listed(check_names[i]) ||
			    strcmp(check_names[i], CHECK_PLUGINS) == 0);
	for (size_t i = 0; i < checks_count; i++) {
		struct buf line = BUF_INIT;

		buf_addf(&line, "%s:off\n", checks_list[i]->name);
		unit_write("control/checks", buf_view(&line));
		assert_int_equal(check_modes_load(&modes, &err), 0);
		control_set_free(&modes);
		buf_free(&line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_modes_are_found, scratch_enter_control, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_what_makes_no_sense_is_named, scratch_enter_control,
		    scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_names_are_those_of_the_list, scratch_enter_control,
		    scratch_leave),
	};

	return RUN_TESTS(tests);
}
