/* auth/authd_files: what is loaded, when it is news, and whose it is. */
#include "auth/authd_files.h"
#include "conf/logins.h"
#include "scratch.h"

static void
replace(const char *path, const char *text)
{
	unit_write("new", strv_of(text));
	assert_int_equal(rename("new", path), 0);
}

static void
write_mailboxes(const char *address)
{
	struct cdb_writer *writer = NULL;

	assert_int_equal(
	    cdb_writer_open("users/mailboxes.tmp", 0600, &writer), 0);
	assert_int_equal(cdb_writer_add(writer, strv_of(address),
			     STRV("h\0"
				  "1\0"
				  "1\0/x\0")),
	    0);
	assert_int_equal(cdb_writer_commit(&writer, LOGINS_CDB), 0);
}

static void
test_files_come_and_go(void **state)
{
	struct authd_files f;

	(void)state;
	assert_int_equal(mkdir("users", 0700), 0);
	authd_files_init(&f, false);
	assert_true(authd_files_load(&f));
	assert_int_equal(f.homes.result, QE_ABSENT);
	assert_int_equal(f.mailboxes.result, QE_ABSENT);
	assert_int_equal(authd_files_news(&f), AUTHD_SAME);
	replace(QPASSWD_PRIVATE, "[/b:7:8]\njoe:joe\n");
	assert_int_equal(authd_files_news(&f), AUTHD_CHANGED);
	assert_true(authd_files_load(&f));
	assert_int_equal(authd_files_news(&f), AUTHD_SAME);
	assert_false(authd_files_load(&f));
	assert_int_equal(f.homes.result, 0);
	assert_int_equal(f.index.count, 1);
	write_mailboxes("a@b.example");
	assert_int_equal(authd_files_news(&f), AUTHD_CHANGED);
	assert_true(authd_files_load(&f));
	assert_int_equal(f.mailboxes.result, 0);
	assert_non_null(f.hashes);
	assert_int_equal(unlink(LOGINS_CDB), 0);
	assert_int_equal(unlink(QPASSWD_PRIVATE), 0);
	assert_int_equal(authd_files_news(&f), AUTHD_CHANGED);
	assert_true(authd_files_load(&f));
	assert_int_equal(f.homes.result, QE_ABSENT);
	assert_int_equal(f.index.count, 0);
	assert_null(f.hashes);
	authd_files_free(&f);
}

static void
test_files_that_cannot_be_used(void **state)
{
	struct authd_files f;

	(void)state;
	assert_int_equal(mkdir("users", 0700), 0);
	replace(QPASSWD_PRIVATE, "nonsense\n");
	unit_write(LOGINS_CDB, STRV("nonsense\n"));
	authd_files_init(&f, false);
	assert_true(authd_files_load(&f));
	assert_int_equal(f.homes.result, QE_SYNTAX);
	assert_int_equal(f.mailboxes.result, QE_CORRUPT);
	/* Said once, and no news. */
	assert_false(authd_files_load(&f));
	assert_int_equal(authd_files_news(&f), AUTHD_SAME);
	/* A mode is news as well. */
	replace(QPASSWD_PRIVATE, "[/b:7:8]\njoe:joe\n");
	write_mailboxes("a@b.example");
	assert_true(authd_files_load(&f));
	assert_int_equal(chmod(QPASSWD_PRIVATE, 0604), 0);
	assert_int_equal(chmod(LOGINS_CDB, 0604), 0);
	assert_int_equal(authd_files_news(&f), AUTHD_CHANGED);
	assert_true(authd_files_load(&f));
	assert_int_equal(f.homes.result, QE_DENIED);
	assert_int_equal(f.mailboxes.result, QE_DENIED);
	assert_int_equal(f.index.count, 0);
	assert_null(f.hashes);
	authd_files_free(&f);
}

static void
test_files_of_somebody_else(void **state)
{
	struct authd_files f;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir("users", 0700), 0);
	replace(QPASSWD_PRIVATE, "[/b:7:8]\njoe:joe\n");
	write_mailboxes("a@b.example");
	assert_int_equal(chown(QPASSWD_PRIVATE, 1, 1), 0);
	assert_int_equal(chown(LOGINS_CDB, 1, 1), 0);
	authd_files_init(&f, false);
	assert_true(authd_files_load(&f));
	assert_int_equal(f.homes.result, QE_DENIED);
	assert_int_equal(f.mailboxes.result, QE_DENIED);
	assert_null(f.hashes);
	authd_files_free(&f);
}

static void
test_files_have_an_owner(void **state)
{
	struct authd_files f;
	uid_t uid = 1;
	gid_t gid = 1;

	(void)state;
	assert_int_equal(mkdir("users", 0700), 0);
	replace(QPASSWD_PRIVATE, "[/b:7:8]\n[/c:9:10]\n");
	authd_files_init(&f, false);
	assert_true(authd_files_load(&f));
	assert_false(authd_files_owner(&f, &uid, &gid));
	/* The first of the file, not of the alphabet. */
	replace(QPASSWD_PRIVATE, "[/b:7:8]\n[/c:9:10]\nz:z\n[/d:11:12]\na:a\n");
	assert_true(authd_files_load(&f));
	assert_true(authd_files_owner(&f, &uid, &gid));
	assert_int_equal(uid, 9);
	assert_int_equal(gid, 10);
	replace(QPASSWD_PRIVATE, "[/b:vmail:vmail]\nz:z\n");
	assert_true(authd_files_load(&f));
	assert_false(authd_files_owner(&f, &uid, &gid));
	authd_files_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_files_come_and_go, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(test_files_that_cannot_be_used,
		    scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_files_of_somebody_else, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_files_have_an_owner, scratch_enter, scratch_leave),
	};

	return RUN_TESTS(tests);
}
