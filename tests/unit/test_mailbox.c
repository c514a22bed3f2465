/* Which .qmail file handles an address, and what a delivery would find. */
#include "conf/mailbox.h"
#include "unit.h"

/* Steps through all candidates and compares names and DEFAULT. */
static void
expect_search(const char *dash, const char *ext, const char *const *names,
    const char *const *remainders)
{
	struct mailbox_search s;
	size_t i = 0;

	mailbox_search_init(&s, dash, ext);
	for (; mailbox_search_next(&s) == 0; i++) {
		assert_non_null(names[i]);
		assert_string_equal(buf_cstr(&s.name), names[i]);
		if (remainders[i] == NULL)
			assert_null(s.remainder);
		else
			assert_string_equal(s.remainder, remainders[i]);
	}
	assert_null(names[i]);
	assert_int_equal(mailbox_search_next(&s), QE_EOF);
	mailbox_search_clear(&s);
}

static void
test_search_walks_from_long_to_default(void **state)
{
	(void)state;
	expect_search("-", "a-b-c",
	    (const char *const[]){ ".qmail-a-b-c", ".qmail-a-b-default",
		".qmail-a-default", ".qmail-default", NULL },
	    (const char *const[]){ NULL, "c", "b-c", "a-b-c" });
}

static void
test_search_lowers_and_replaces_dots(void **state)
{
	(void)state;
	expect_search("-", "Foo.Bar-X.y",
	    (const char *const[]){ ".qmail-foo:bar-x:y",
		".qmail-foo:bar-default", ".qmail-default", NULL },
	    (const char *const[]){ NULL, "X.y", "Foo.Bar-X.y" });
}

static void
test_search_edges(void **state)
{
	(void)state;
	expect_search("", "",
	    (const char *const[]){ ".qmail", ".qmaildefault", NULL },
	    (const char *const[]){ NULL, "" });
	expect_search("-", "",
	    (const char *const[]){ ".qmail-", ".qmail-default", NULL },
	    (const char *const[]){ NULL, "" });
	expect_search("-", "a-",
	    (const char *const[]){
		".qmail-a-", ".qmail-a-default", ".qmail-default", NULL },
	    (const char *const[]){ NULL, "", "a-" });
	expect_search("-", "--",
	    (const char *const[]){ ".qmail---", ".qmail---default",
		".qmail--default", ".qmail-default", NULL },
	    (const char *const[]){ NULL, "", "-", "--" });
}

static void
test_search_exact_name_ending_in_default(void **state)
{
	(void)state;
	expect_search("-", "a-Default",
	    (const char *const[]){ ".qmail-a-default", ".qmail-a-default",
		".qmail-default", NULL },
	    (const char *const[]){ "Default", "Default", "a-Default" });
}

static void
test_names_are_safe(void **state)
{
	struct buf name = BUF_INIT;

	(void)state;
	mailbox_add_name(&name, "-", STRV("../A.B"));
	assert_buf(&name, ".qmail-::/a:b");
	buf_free(&name);
}

static void
test_rights(void **state)
{
	struct user_entry entry = { .uid = 507 };

	(void)state;
	assert_int_equal(mailbox_rights(&entry, 0), MAILBOX_MAY);
	assert_int_equal(mailbox_rights(&entry, 507), MAILBOX_MAY);
	assert_int_equal(mailbox_rights(&entry, 508), MAILBOX_NOT_OURS);
	entry.uid = 0;
	assert_int_equal(mailbox_rights(&entry, 0), MAILBOX_IS_ROOT);
}

/* A home directory of its own. */
static char home[64];

static int
make_home(void **state)
{
	(void)state;
	unit_make_dir(home);
	return chmod(home, 0755);
}

static int
remove_home(void **state)
{
	(void)state;
	chmod(home, 0700);
	unit_remove(home);
	return 0;
}

static void
put(const char *name, mode_t mode)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", home, name);
	unit_write(path, STRV("&x\n"));
	assert_int_equal(chmod(path, mode), 0);
}

static int
look(const char *dash, const char *ext)
{
	struct user_entry entry = {
		.user = "u", .home = home, .dash = dash, .ext = ext, .uid = 507
	};

	return mailbox_look(&entry);
}

static void
test_look_finds_what_would_bounce(void **state)
{
	(void)state;
	assert_int_equal(look("", ""), 0);
	assert_int_equal(look("-", "x"), QE_ABSENT);
	put(".qmail-x", 0644);
	assert_int_equal(look("-", "X"), 0);
	assert_int_equal(look("-", "y"), QE_ABSENT);
	put(".qmail-a-default", 0644);
	assert_int_equal(look("-", "a-b-c"), 0);
	assert_int_equal(look("-", "a"), QE_ABSENT);
	put(".qmail-default", 0600);
	assert_int_equal(look("-", "anything"), 0);
}

static void
test_look_counts_regular_files_only(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/.qmail-d", home);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(look("-", "d"), QE_ABSENT);
	snprintf(path, sizeof(path), "%s/.qmail-f", home);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(look("-", "f"), QE_ABSENT);
	snprintf(path, sizeof(path), "%s/.qmail-l", home);
	assert_int_equal(symlink("absent", path), 0);
	assert_int_equal(look("-", "l"), QE_ABSENT);
	put("absent", 0600);
	assert_int_equal(look("-", "l"), 0);
}

static void
test_look_leaves_deferrals_alone(void **state)
{
	(void)state;
	assert_int_equal(chmod(home, 0757), 0);
	assert_int_equal(look("-", "x"), QE_TEMP);
	assert_int_equal(chmod(home, 01755), 0);
	assert_int_equal(look("-", "x"), QE_TEMP);
	remove_home(NULL);
	assert_int_equal(look("-", "x"), QE_TEMP);
	make_home(NULL);
}

static void
test_look_never_speaks_for_root(void **state)
{
	struct user_entry entry = {
		.user = "root", .home = home, .dash = "-", .ext = "x"
	};

	(void)state;
	assert_int_equal(mailbox_look(&entry), QE_TEMP);
}

static void
test_look_without_rights_says_so(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip();
	assert_int_equal(chmod(home, 0), 0);
	assert_int_equal(look("-", "x"), QE_DENIED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search_walks_from_long_to_default),
		cmocka_unit_test(test_search_lowers_and_replaces_dots),
		cmocka_unit_test(test_search_edges),
		cmocka_unit_test(test_search_exact_name_ending_in_default),
		cmocka_unit_test(test_names_are_safe),
		cmocka_unit_test(test_rights),
		cmocka_unit_test_setup_teardown(
		    test_look_finds_what_would_bounce, make_home, remove_home),
		cmocka_unit_test_setup_teardown(
		    test_look_counts_regular_files_only, make_home,
		    remove_home),
		cmocka_unit_test_setup_teardown(
		    test_look_leaves_deferrals_alone, make_home, remove_home),
		cmocka_unit_test_setup_teardown(
		    test_look_never_speaks_for_root, make_home, remove_home),
		cmocka_unit_test_setup_teardown(
		    test_look_without_rights_says_so, make_home, remove_home),
	};

	return RUN_TESTS(tests);
}
