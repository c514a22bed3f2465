/* Unit tests of conf/norelay.c: in doubt a login may not send. */
#include "conf/norelay.h"
#include "unit.h"

static char directory[64];

static int
setup(void **state)
{
	(void)state;
	unit_make_dir(directory);
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(mkdir("control", 0700), 0);
	return mkdir("control/auth", 0700);
}

static int
teardown(void **state)
{
	(void)state;
	unit_remove(directory);
	return 0;
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_nothing_there, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_list_and_doubt, setup, teardown),
	};

	return RUN_TESTS(tests);
}
