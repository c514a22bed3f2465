/* Unit tests of conf/norelay.c: in doubt a login may not send. */
#include "conf/login_name.h"
#include "conf/norelay.h"
#include "scratch.h"

static int
setup(void **state)
{
	assert_int_equal(scratch_enter_control(state), 0);
	return mkdir("control/auth", 0700);
}

static void
test_nothing_there(void **state)
{
	struct control_error err;

	(void)state;
	assert_int_equal(norelay_find(STRV("joe"), &err), QE_ABSENT);
}

static void
write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
test_list_and_doubt(void **state)
{
	struct control_error err;

	(void)state;
	write_text("control/auth/norelay", "# fetch only\nJoe@A.example\n");
	assert_int_equal(norelay_find(STRV("joe@a.EXAMPLE"), &err), 0);
	assert_int_equal(norelay_find(STRV("joe"), &err), QE_ABSENT);
	write_text("control/auth/norelay.cdb", "broken");
	assert_int_equal(norelay_find(STRV("joe@a.example"), &err), 0);
	assert_int_equal(norelay_find(STRV("joe"), &err), QE_CORRUPT);
	assert_string_equal(
	    err.text, "unable to read control/auth/norelay.cdb");
}

static void
test_other_spelling(void **state)
{
	struct control_error err;

	(void)state;
	write_text("control/defaulthost", "a.example\n");
	write_text("control/auth/norelay", "joe\nann@A.example\nbob@b\n");
	assert_int_equal(norelay_find(STRV("joe@a.EXAMPLE"), &err), 0);
	assert_int_equal(norelay_find(STRV("joe"), &err), 0);
	assert_int_equal(norelay_find(STRV("joe@b"), &err), QE_ABSENT);
	assert_int_equal(norelay_find(STRV("ANN"), &err), 0);
	assert_int_equal(norelay_find(STRV("ann@b"), &err), QE_ABSENT);
	assert_int_equal(norelay_find(STRV("bob"), &err), QE_ABSENT);
	assert_int_equal(
	    norelay_find(STRV("ann@x@a.example"), &err), QE_ABSENT);
	/* What keeps us from telling keeps nobody safe. */
	write_text("control/defaulthost", "a.example\r\n");
	assert_int_equal(norelay_find(STRV("eve"), &err), QE_SYNTAX);
	assert_int_equal(norelay_find(STRV("joe"), &err), 0);
}

static void
test_full_and_short(void **state)
{
	struct control_error err;
	struct buf out = BUF_INIT, small = BUF_LIMIT(5);

	(void)state;
	write_text("control/defaulthost", "a.example\n");
	assert_int_equal(login_name_full(STRV("joe"), &out, &err), 0);
	assert_view(buf_view(&out), "joe@a.example");
	buf_reset(&out);
	assert_int_equal(login_name_full(STRV("joe@b"), &out, &err), 0);
	assert_view(buf_view(&out), "joe@b");
	buf_reset(&out);
	assert_int_equal(
	    login_name_short(STRV("j@x@A.EXAMPLE"), &out, &err), 0);
	assert_view(buf_view(&out), "j@x");
	assert_int_equal(login_name_short(STRV("j@x"), &out, &err), QE_ABSENT);
	assert_int_equal(login_name_short(STRV("j"), &out, &err), QE_ABSENT);
	assert_int_equal(
	    login_name_full(STRV("joseph"), &small, &err), QE_LIMIT);
	buf_free(&out);
	buf_free(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_nothing_there, setup, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_list_and_doubt, setup, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_other_spelling, setup, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_full_and_short, setup, scratch_leave),
	};

	return RUN_TESTS(tests);
}
