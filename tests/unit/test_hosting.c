/* Names, files of lines and logins of the hosting tools. */
#include "base/error.h"
#include "base/file.h"
#include "conf/logins.h"
#include "hosting/dotfile.h"
#include "hosting/lines.h"
#include "hosting/names.h"
#include "scratch.h"

static void
test_domains(void **state)
{
	(void)state;
	assert_true(names_is_domain(STRV("example.org")));
	assert_true(names_is_domain(STRV("xn--bcher-kva.example")));
	assert_true(names_is_domain(STRV("1.2.example")));
	assert_false(names_is_domain(STRV("")));
	assert_false(names_is_domain(STRV("org")));
	assert_false(names_is_domain(STRV(".org")));
	assert_false(names_is_domain(STRV("org.")));
	assert_false(names_is_domain(STRV("a..org")));
	assert_false(names_is_domain(STRV("-a.org")));
	assert_false(names_is_domain(STRV("a-.org")));
	assert_false(names_is_domain(STRV("a_b.org")));
	assert_false(names_is_domain(STRV("a b.org")));
	assert_false(names_is_domain(STRV("a\0b.org")));
	assert_false(names_is_domain(STRV("a/b.org")));
}

static void
test_locals(void **state)
{
	(void)state;
	assert_true(names_is_local(STRV("joe")));
	assert_true(names_is_local(STRV("first.last+tag_x=y-z")));
	assert_true(names_is_local(STRV("defaults")));
	assert_false(names_is_local(STRV("")));
	assert_false(names_is_local(STRV(".joe")));
	assert_false(names_is_local(STRV("-joe")));
	assert_false(names_is_local(STRV("a/b")));
	assert_false(names_is_local(STRV("a:b")));
	assert_false(names_is_local(STRV("a@b")));
	assert_false(names_is_local(STRV("a\0b")));
	assert_false(names_is_local(STRV("\xc3\xa4")));
	assert_false(names_is_local(STRV("Default")));
	assert_false(names_is_local(STRV("x-default")));
}

static void
test_collisions(void **state)
{
	(void)state;
	assert_true(names_collide(STRV("b.org"), STRV("b.org-x.com")));
	assert_true(names_collide(STRV("B.org-x.com"), STRV("b.org")));
	assert_false(names_collide(STRV("b.org"), STRV("b.org")));
	assert_false(names_collide(STRV("b.org"), STRV("ab.org-x.com")));
	assert_false(names_collide(STRV("b.org"), STRV("b.orgx.com")));
}

static void
test_targets(void **state)
{
	(void)state;
	assert_true(names_is_target(STRV("a@b.example")));
	assert_true(names_is_target(STRV("a@b@c.example")));
	assert_false(names_is_target(STRV("a")));
	assert_false(names_is_target(STRV("@b.example")));
	assert_false(names_is_target(STRV("a@b")));
	assert_false(names_is_target(STRV("a@b.example\n|rm")));
	assert_false(names_is_target(STRV("a b@b.example")));
}

static void
expect_lines(const char *before, const char *key, const char *line,
    bool has_end, const char *after)
{
	struct lines lines;
	struct buf text = BUF_INIT;

	if (before == NULL)
		unlink("file");
	else
		unit_write("file", strv_of(before));
	assert_int_equal(lines_load("file", 1000, 0640, &lines), 0);
	assert_int_equal(lines.present, before != NULL);
	lines.has_end = has_end;
	if (line != NULL)
		lines_set(&lines, strv_of(key), strv_of(line));
	else
		lines_remove(&lines, strv_of(key));
	assert_int_equal(lines_save(&lines, "file"), 0);
	lines_free(&lines);
	assert_int_equal(file_read("file", &text), 0);
	assert_string_equal(buf_cstr(&text), after);
	assert_int_equal(access("file.new", F_OK), -1);
	buf_free(&text);
}

static void
test_lines(void **state)
{
	(void)state;
	expect_lines(NULL, "a", "a:1", false, "a:1\n");
	expect_lines("", "a", "a:1", false, "a:1\n");
	expect_lines("# x\nb:2", "a", "a:1", false, "# x\nb:2\na:1\n");
	expect_lines("A:0\nb:2\n", "a", "a:1", false, "a:1\nb:2\n");
	expect_lines("a:0\nb:2\na \n", "a", "a:1", false, "a:1\nb:2\n");
	expect_lines("a:0\nb:2\na\n", "a", NULL, false, "b:2\n");
	expect_lines("ab:0\n", "a", NULL, false, "ab:0\n");
}

static void
test_lines_with_an_end(void **state)
{
	(void)state;
	expect_lines(NULL, "+a-", "+a-:1", true, "+a-:1\n.\n");
	expect_lines("=b:2\n.\n", "+a-", "+a-:1", true, "=b:2\n+a-:1\n.\n");
	expect_lines("+a-:0\n.\nrest\n", "+a-", "+a-:1", true, "+a-:1\n.\n");
	expect_lines("+a-:0\n.\n", "+a-", NULL, true, ".\n");
}

static void
test_lines_that_are_too_many(void **state)
{
	struct lines lines;

	(void)state;
	unit_write("file", STRV("0123456789\n"));
	assert_int_equal(lines_load("file", 5, 0600, &lines), QE_LIMIT);
	assert_int_equal(lines_load("file", 11, 0600, &lines), 0);
	lines_set(&lines, STRV("a"), STRV("a:1"));
	assert_int_equal(lines_save(&lines, "file"), QE_LIMIT);
	lines_free(&lines);
}

static int
parse(const char *line, struct login *login)
{
	struct buf key = BUF_INIT, value = BUF_INIT;
	int r = login_parse_line(strv_of(line), &key, &value);

	if (r == 0)
		r = login_parse_value(buf_view(&value), login);
	buf_free(&key);
	buf_free(&value);
	return r;
}

static void
test_logins(void **state)
{
	struct login login;

	(void)state;
	assert_int_equal(parse("a@b.example:$y$x:7:8:/home:x", &login), 0);
	assert_string_equal(login.hash, "$y$x");
	assert_string_equal(login.home, "/home:x");
	assert_int_equal(login.uid, 7);
	assert_int_equal(login.gid, 8);
	login_free(&login);
	assert_int_equal(parse("", &login), QE_SYNTAX);
	assert_int_equal(parse("a:b:1:1", &login), QE_SYNTAX);
	assert_int_equal(parse("a::1:1:/x", &login), QE_SYNTAX);
	assert_int_equal(parse(":b:1:1:/x", &login), QE_SYNTAX);
	assert_int_equal(parse("a:b:0:1:/x", &login), QE_SYNTAX);
	assert_int_equal(parse("a:b:1:0:/x", &login), QE_SYNTAX);
	assert_int_equal(parse("a:b:-1:1:/x", &login), QE_SYNTAX);
	assert_int_equal(parse("a:b:99999999999:1:/x", &login), QE_SYNTAX);
	assert_int_equal(parse("a:b:1:1:x", &login), QE_SYNTAX);
}

/* users/mailboxes.cdb of these lines, with or without stand-ins. */
static void
write_logins(const char *const *records, size_t count, unsigned standins)
{
	struct buf key = BUF_INIT, value = BUF_INIT;
	struct cdb_writer *writer = NULL;

	assert_int_equal(cdb_writer_open("logins.tmp", 0600, &writer), 0);
	for (unsigned i = 0; i < count + standins; i++) {
		buf_reset(&key);
		buf_reset(&value);
		assert_int_equal(
		    login_parse_line(strv_of(records[i % count]), &key, &value),
		    0);
		if (i >= count) {
			buf_reset(&key);
			login_standin_key(i - (unsigned)count, &key);
		}
		assert_int_equal(
		    cdb_writer_add(writer, buf_view(&key), buf_view(&value)),
		    0);
	}
	assert_int_equal(cdb_writer_commit(&writer, "logins.cdb"), 0);
	buf_free(&key);
	buf_free(&value);
}

static void
test_logins_found(void **state)
{
	static const char *const records[] = { "a@b.example:$one:1:2:/a",
		"b@b.example:$two:3:4:/b" };
	struct login login;

	(void)state;
	assert_int_equal(
	    login_find("no.cdb", STRV("a@b.example"), &login), QE_ABSENT);
	write_logins(records, 2, LOGINS_STANDINS);
	assert_int_equal(
	    login_find("logins.cdb", STRV("A@B.example"), &login), 0);
	assert_true(login.known);
	assert_string_equal(login.hash, "$one");
	assert_int_equal(login.uid, 1);
	login_free(&login);
	for (int i = 0; i < 200; i++) {
		char address[32];

		snprintf(address, sizeof(address), "c%d@b.example", i);
		assert_int_equal(
		    login_find("logins.cdb", strv_of(address), &login), 0);
		assert_false(login.known);
		assert_true(login.uid == 1 || login.uid == 3);
		login_free(&login);
	}
	/* One made by an older program, and no address at all. */
	write_logins(records, 2, 0);
	assert_int_equal(
	    login_find("logins.cdb", STRV("b@b.example"), &login), 0);
	assert_true(login.known);
	login_free(&login);
	assert_int_equal(
	    login_find("logins.cdb", STRV("c@b.example"), &login), QE_ABSENT);
	write_logins(records, 2, LOGINS_STANDINS);
	assert_int_equal(login_find("logins.cdb",
			     STRV("\0"
				  "0"),
			     &login),
	    QE_ABSENT);
	unit_write("logins.cdb", STRV("nonsense"));
	assert_int_equal(
	    login_find("logins.cdb", STRV("b@b.example"), &login), QE_CORRUPT);
}

static void
test_values(void **state)
{
	static const struct strv bad[] = {
		{"",			     0 },
                { "h\0",                         2 },
		{ "h\0"
		  "7\0"
		  "8\0",        6 },
		{ "h\0"
		  "7\0"
		  "8\0/x",      8 },
		{ "h\0"
		  "7\0"
		  "8\0/x\0y\0", 11},
		{ "h\0"
		  "0\0"
		  "8\0/x\0",    9 }
	};
	struct login login;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(login_parse_value(bad[i], &login), QE_SYNTAX);
}

static void
test_dotfiles(void **state)
{
	struct buf name = BUF_INIT, local = BUF_INIT;
	enum dotfile_kind kind;

	(void)state;
	dotfile_add_name(&name, STRV("First.Last"));
	assert_string_equal(buf_cstr(&name), ".qmail-first:last");
	assert_int_equal(dotfile_local(buf_view(&name), &local), 0);
	assert_string_equal(buf_cstr(&local), "first.last");
	assert_int_equal(dotfile_local(STRV(".qmail-"), &local), QE_SYNTAX);
	assert_int_equal(dotfile_local(STRV(".qmail"), &local), QE_SYNTAX);
	assert_int_equal(dotfile_read(STRV("x"), &kind, NULL), 0);
	assert_int_equal(kind, DOTFILE_NONE);
	assert_int_equal(dotfile_write(STRV("x"), STRV("./x/Maildir/\n")), 0);
	assert_int_equal(dotfile_read(STRV("x"), &kind, NULL), 0);
	assert_int_equal(kind, DOTFILE_MAILBOX);
	assert_int_equal(dotfile_write(STRV("x"), STRV("./y/Maildir/\n")), 0);
	assert_int_equal(dotfile_read(STRV("x"), &kind, NULL), 0);
	assert_int_equal(kind, DOTFILE_OTHER);
	assert_int_equal(dotfile_write(STRV("x"), STRV("&a@b\n&c@d\n")), 0);
	assert_int_equal(dotfile_read(STRV("x"), &kind, NULL), 0);
	assert_int_equal(kind, DOTFILE_ALIAS);
	assert_int_equal(dotfile_write(STRV("x"), STRV("&a@b\n|cat\n")), 0);
	assert_int_equal(dotfile_read(STRV("x"), &kind, NULL), 0);
	assert_int_equal(kind, DOTFILE_OTHER);
	assert_int_equal(dotfile_remove(STRV("x")), 0);
	assert_int_equal(dotfile_remove(STRV("x")), 0);
	buf_free(&name);
	buf_free(&local);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_locals),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_targets),
		cmocka_unit_test_setup_teardown(
		    test_lines, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_lines_with_an_end, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_lines_that_are_too_many, scratch_enter, scratch_leave),
		cmocka_unit_test(test_logins),
		cmocka_unit_test_setup_teardown(
		    test_logins_found, scratch_enter, scratch_leave),
		cmocka_unit_test(test_values),
		cmocka_unit_test_setup_teardown(
		    test_dotfiles, scratch_enter, scratch_leave),
	};

	return RUN_TESTS(tests);
}
