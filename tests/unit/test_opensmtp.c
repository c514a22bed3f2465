/* Logins by POP3 that let a client relay for a while. */
#include "conf/opensmtp.h"
#include "unit.h"

#include <errno.h>

enum { NOW = 1000000, LIFETIME = 100 };

static char directory[64];

static int
make_directory(void **state)
{
	(void)state;
	unit_make_dir(directory);
	return 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	unit_remove(directory);
	return 0;
}

static void
stamp(const char *name, time_t seconds)
{
	const struct timespec times[2] = {
		{seconds,  0},
                { seconds, 0}
	};
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	unit_write(path, STRV_EMPTY);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static int
find(const char *ip)
{
	return opensmtp_find(strv_of(directory), strv_of(ip), LIFETIME, NOW);
}

static void
test_find_by_age(void **state)
{
	(void)state;
	assert_int_equal(find("192.0.2.1"), QE_ABSENT);
	stamp("192.0.2.1", NOW - LIFETIME + 1);
	assert_int_equal(find("192.0.2.1"), 0);
	stamp("192.0.2.1", NOW - LIFETIME);
	assert_int_equal(find("192.0.2.1"), QE_ABSENT);
	stamp("192.0.2.1", NOW + LIFETIME - 1);
	assert_int_equal(find("192.0.2.1"), 0);
	stamp("192.0.2.1", NOW + LIFETIME);
	assert_int_equal(find("192.0.2.1"), QE_ABSENT);
}

static void
test_find_knows_one_spelling_of_an_address(void **state)
{
	(void)state;
	stamp("2001:db8::1", NOW);
	assert_int_equal(find("2001:0DB8:0:0::1"), 0);
	stamp("192.0.2.1", NOW);
	assert_int_equal(find("::ffff:192.0.2.1"), 0);
}

static void
test_find_believes_no_other_names(void **state)
{
	(void)state;
	stamp("evil", NOW);
	assert_int_equal(find("evil"), QE_SYNTAX);
	assert_int_equal(find("."), QE_SYNTAX);
	assert_int_equal(find("../192.0.2.1"), QE_SYNTAX);
	assert_int_equal(find(""), QE_SYNTAX);
}

static void
test_find_counts_regular_files_only(void **state)
{
	char path[160];

	(void)state;
	stamp("192.0.2.1", NOW);
	snprintf(path, sizeof(path), "%s/192.0.2.2", directory);
	assert_int_equal(symlink("192.0.2.1", path), 0);
	assert_int_equal(find("192.0.2.2"), QE_ABSENT);
}

static void
test_find_tells_trouble_from_absence(void **state)
{
	(void)state;
	assert_int_equal(opensmtp_find(STRV("/absent/directory"),
			     STRV("192.0.2.1"), LIFETIME, NOW),
	    QE_SYS);
	assert_int_equal(errno, ENOENT);
}

static void
test_path(void **state)
{
	struct buf path = BUF_INIT;
	struct buf small = BUF_LIMIT(3);

	(void)state;
	assert_int_equal(opensmtp_path(STRV("run/pop"), STRV("::1"), &path), 0);
	assert_buf(&path, "run/pop/::1");
	assert_int_equal(
	    opensmtp_path(STRV("run/pop"), STRV("::1"), &small), QE_NOMEM);
	buf_free(&path);
	buf_free(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_find_by_age, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    test_find_knows_one_spelling_of_an_address, make_directory,
		    remove_directory),
		cmocka_unit_test_setup_teardown(
		    test_find_believes_no_other_names, make_directory,
		    remove_directory),
		cmocka_unit_test_setup_teardown(
		    test_find_counts_regular_files_only, make_directory,
		    remove_directory),
		cmocka_unit_test(test_find_tells_trouble_from_absence),
		cmocka_unit_test(test_path),
	};

	return RUN_TESTS(tests);
}
