/* base/account: the password file read directly. */
#include "base/account.h"
#include "unit.h"

#include <errno.h>

static char dir[64];
static char path[96];

static int
setup(void **state)
{
	(void)state;
	unit_make_dir(dir);
	snprintf(path, sizeof(path), "%s/passwd", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unit_remove(dir);
	return 0;
}

static void
test_account_uid_from_file(void **state)
{
	uid_t uid = 7;

	(void)state;
	unit_write(path, STRV("root:x:0:0:root:/root:/bin/sh\n"
			      "broken line\n"
			      "bad:x:many:0::/:/bin/sh\n"
			      "aliases:x:11:11::/:/bin/sh\n"
			      "alias:x:12:11::/var/qmail/alias:/bin/sh\n"));
	assert_int_equal(account_uid_from_file(path, "alias", &uid), 0);
	assert_int_equal(uid, 12);
	assert_int_equal(account_uid_from_file(path, "root", &uid), 0);
	assert_int_equal(uid, 0);
	uid = 7;
	assert_int_equal(
	    account_uid_from_file(path, "nobody", &uid), QE_ABSENT);
	assert_int_equal(account_uid_from_file(path, "", &uid), QE_ABSENT);
	assert_int_equal(uid, 7);
}

static void
test_account_unreadable_file_is_no_answer(void **state)
{
	uid_t uid = 7;

	(void)state;
	assert_int_equal(account_uid_from_file(path, "alias", &uid), QE_SYS);
	assert_int_equal(errno, ENOENT);
	/* Opens, but cannot be read. */
	assert_int_equal(account_uid_from_file(dir, "alias", &uid), QE_SYS);
	assert_int_equal(uid, 7);
}

static void
test_account_roles_have_names(void **state)
{
	(void)state;
	for (int role = 0; role < ROLE_COUNT; role++)
		assert_true(strlen(role_user((enum role)role)) > 0);
	assert_true(strlen(account_group_queue()) > 0);
	assert_true(strlen(account_group_none()) > 0);
}

static void
test_account_user_unknown(void **state)
{
	uid_t uid;
	gid_t gid;

	(void)state;
	assert_int_equal(
	    account_user("no-such-user-here", &uid, &gid), QE_ABSENT);
	assert_int_equal(account_group("no-such-group-here", &gid), QE_ABSENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_account_uid_from_file),
		TEST(test_account_unreadable_file_is_no_answer),
		TEST(test_account_roles_have_names),
		TEST(test_account_user_unknown),
	};

	return RUN_TESTS(tests);
}
