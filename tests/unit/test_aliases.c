/* mail/aliases and what newaliases makes of it. */
#include "admin/alias_files.h"
#include "admin/alias_lines.h"
#include "mail/aliases.h"
#include "unit.h"

static void
expect(struct aliases *a, size_t line, const char *name, const char *values)
{
	assert_int_equal(aliases_next(a), 0);
	assert_int_equal(a->line, line);
	assert_same(buf_view(&a->name), strv_of(name));
	assert_same(strv_trim_blanks(buf_view(&a->values)), strv_of(values));
}

static void
test_aliases_lines(void **state)
{
	struct aliases a;

	(void)state;
	aliases_init(&a, STRV("# comment: x\n\nroot: joe\n"
			      "list:\tann,\n  bob ,\r\n\tcarl\n#\n"
			      "\"odd: name\" : x\n  \n\nempty:\nlast: y\n"
			      "more: a,\n  # b,\n  c\n"));
	expect(&a, 3, "root", "joe");
	expect(&a, 4, "list", "ann,   bob , \tcarl");
	expect(&a, 8, "odd: name", "x");
	expect(&a, 11, "empty", "");
	expect(&a, 12, "last", "y");
	/* A line that is a comment takes no other one with it. */
	expect(&a, 13, "more", "a,   c");
	assert_int_equal(aliases_next(&a), QE_EOF);
	aliases_free(&a);
}

static void
test_aliases_bad_lines(void **state)
{
	static const char *const bad[] = { "x\n", " x: y\n", ": y\n",
		"\"x: y\n", "\"\": y\n", "x: # y\n z\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct aliases a;

		aliases_init(&a, strv_of(bad[i]));
		assert_int_equal(aliases_next(&a), QE_SYNTAX);
		assert_int_equal(a.line, 1);
		aliases_free(&a);
	}
}

static void
expect_next(struct strv *rest, enum alias_kind kind, const char *text)
{
	struct buf value = BUF_INIT;
	enum alias_kind got;

	assert_int_equal(aliases_value(rest, &got, &value), 0);
	assert_int_equal(got, kind);
	assert_same(buf_view(&value), strv_of(text));
	buf_free(&value);
}

static void
test_aliases_values(void **state)
{
	struct strv rest = STRV(
	    " joe, Ann Doe <ann@x.example> ,, bob (Bob),\\carl, "
	    "<dan@x> (Dan), "
	    "\"odd one\"@x, \"|cmd a, \\\"b\\\"\", |cmd \"x y\",|\"cmd z\","
	    "/var/mail/x, \"/a b\", :include:/etc/list # rest");
	enum alias_kind kind;
	struct buf value = BUF_INIT;

	(void)state;
	expect_next(&rest, ALIAS_ADDRESS, "joe");
	expect_next(&rest, ALIAS_ADDRESS, "ann@x.example");
	expect_next(&rest, ALIAS_ADDRESS, "bob");
	expect_next(&rest, ALIAS_ADDRESS, "carl");
	expect_next(&rest, ALIAS_ADDRESS, "dan@x");
	assert_int_equal(aliases_value(&rest, &kind, &value), QE_SYNTAX);
	expect_next(&rest, ALIAS_PROGRAM, "cmd a, \"b\"");
	expect_next(&rest, ALIAS_PROGRAM, "cmd \"x y\"");
	expect_next(&rest, ALIAS_PROGRAM, "cmd z");
	expect_next(&rest, ALIAS_FILE, "/var/mail/x");
	expect_next(&rest, ALIAS_FILE, "/a b");
	expect_next(&rest, ALIAS_INCLUDE, "/etc/list # rest");
	assert_int_equal(aliases_value(&rest, &kind, &value), QE_EOF);
	buf_free(&value);
}

/* What would hide the rest, or get into a line as it is. */
static void
test_aliases_bad_values(void **state)
{
	static const struct strv bad[] = {
		{"joe, # and ann", 14},
                { "|x\0y",         4 },
                { "/x\0y",         4 },
		{ "a\0b",          3 }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct buf value = BUF_INIT;
		struct strv rest = bad[i];
		enum alias_kind kind;

		assert_int_equal(
		    aliases_value(&rest, &kind, &value), QE_SYNTAX);
		buf_free(&value);
	}
}

static void
expect_lines(const char *name, const char *values, int result, const char *text)
{
	struct buf out = BUF_INIT, culprit = BUF_INIT;

	assert_int_equal(
	    alias_add_lines(strv_of(name), strv_of(values), &out, &culprit),
	    result);
	if (result == 0)
		assert_same(buf_view(&out), strv_of(text));
	else
		assert_same(buf_view(&culprit), strv_of(text));
	buf_free(&out);
	buf_free(&culprit);
}

static void
test_alias_lines(void **state)
{
	char dir[64], text[200];

	(void)state;
	unit_make_dir(dir);
	assert_int_equal(chdir(dir), 0);
	unit_write("list", STRV("# members\nann, bob\n\n:include:/none/x\n"));
	unit_write("good", STRV("# members\nann\nbob\n"));
	expect_lines("root", "joe, root, x@y", 0, "&joe\n./Maildir/\n&x@y\n");
	expect_lines("x", "\"|a b\", /dev/null, /m", 0,
	    "|preline a b\n# /dev/null\n/m\n");
	expect_lines("x", "", 0, "");
	expect_lines("x", "a b", QE_SYNTAX, "a b");
	snprintf(text, sizeof(text), "a, :include:%s/good", dir);
	expect_lines("x", text, 0, "&a\n&ann\n&bob\n");
	snprintf(text, sizeof(text), ":include:%s/list", dir);
	expect_lines("x", text, QE_SYS, "/none/x");
	expect_lines("x", ":include:rel", QE_SYNTAX, "rel");
	snprintf(text, sizeof(text), ":include:%s/self", dir);
	unit_write("self", strv_of(text));
	snprintf(text, sizeof(text), "%s/self", dir);
	expect_lines("x", ":include:/dev/null", QE_SYS, "/dev/null");
	{
		char value[220];

		snprintf(value, sizeof(value), ":include:%s", text);
		expect_lines("x", value, QE_LIMIT, text);
	}
	assert_int_equal(chdir("/"), 0);
	unit_remove(dir);
}

static void
test_alias_file_name(void **state)
{
	static const char *const bad[] = { "", "a/b", "a b", "a@b", "default",
		"Default", "list-Default", "a\n" };
	struct buf name = BUF_INIT;

	(void)state;
	assert_int_equal(alias_file_name(STRV("Joe.Doe-x"), &name), 0);
	assert_buf(&name, ".qmail-joe:doe-x");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    alias_file_name(strv_of(bad[i]), &name), QE_SYNTAX);
	buf_free(&name);
}

static void
test_alias_files(void **state)
{
	enum alias_owner owner;
	char path[64];
	int dir;

	(void)state;
	unit_make_dir(path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(alias_file_look(dir, "a", &owner), 0);
	assert_int_equal(owner, ALIAS_NOBODYS);
	assert_int_equal(
	    alias_file_write(dir, "a", STRV(ALIAS_MARK "\n&b\n")), 0);
	assert_int_equal(alias_file_look(dir, "a", &owner), 0);
	assert_int_equal(owner, ALIAS_OURS);
	assert_int_equal(alias_file_write(dir, "a", STRV("&b\n")), 0);
	assert_int_equal(alias_file_look(dir, "a", &owner), 0);
	assert_int_equal(owner, ALIAS_OTHERS);
	/* Links and FIFOs are others', whatever they lead to. */
	assert_int_equal(symlinkat("/etc/passwd", dir, "l"), 0);
	assert_int_equal(alias_file_look(dir, "l", &owner), 0);
	assert_int_equal(owner, ALIAS_OTHERS);
	assert_int_equal(mkfifoat(dir, "f", 0600), 0);
	assert_int_equal(alias_file_look(dir, "f", &owner), 0);
	assert_int_equal(owner, ALIAS_OTHERS);
	close(dir);
	unit_remove(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aliases_lines),
		cmocka_unit_test(test_aliases_bad_lines),
		cmocka_unit_test(test_aliases_values),
		cmocka_unit_test(test_aliases_bad_values),
		cmocka_unit_test(test_alias_lines),
		cmocka_unit_test(test_alias_file_name),
		cmocka_unit_test(test_alias_files),
	};

	return RUN_TESTS(tests);
}
