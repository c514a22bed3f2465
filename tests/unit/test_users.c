/* Unit tests of conf/users.c; accounts by what any machine has. */
#include "base/cdb.h"
#include "base/env.h"
#include "conf/users.h"
#include "unit.h"

#include <pwd.h>

static char directory[64];
static struct cdb_reader *cache;

static int
setup(void **state)
{
	(void)state;
	unit_make_dir(directory);
	return chdir(directory);
}

static int
teardown(void **state)
{
	(void)state;
	cdb_reader_free(&cache);
	unit_remove(directory);
	return 0;
}

/* Bars stand for NUL bytes, in keys and values. */
static void
add_fields(struct buf *out, const char *bars)
{
	for (; *bars != '\0'; bars++)
		buf_add_char(out, *bars == '|' ? '\0' : *bars);
}

struct record {
	const char *key, *value;
};

static void
make_cdb(const struct record *records, size_t count)
{
	struct cdb_writer *writer;

	assert_int_equal(cdb_writer_open("cdb.tmp", 0600, &writer), 0);
	for (size_t i = 0; i < count; i++) {
		struct buf key = BUF_INIT, value = BUF_INIT;

		add_fields(&key, records[i].key);
		add_fields(&value, records[i].value);
		assert_int_equal(
		    cdb_writer_add(writer, buf_view(&key), buf_view(&value)),
		    0);
		buf_free(&key);
		buf_free(&value);
	}
	assert_int_equal(cdb_writer_commit(&writer, "cdb"), 0);
}

static void
expect(const char *local, const char *user, const char *dash, const char *ext)
{
	struct user_entry entry;

	assert_int_equal(
	    users_find_assigned("cdb", strv_of(local), &cache, &entry), 0);
	assert_string_equal(entry.user, user);
	assert_string_equal(entry.dash, dash);
	assert_string_equal(entry.ext, ext);
	user_entry_free(&entry);
}

static void
expect_code(struct strv local, int result)
{
	struct user_entry entry;

	assert_int_equal(
	    users_find_assigned("cdb", local, &cache, &entry), result);
}

static void
test_assigned(void **state)
{
	const struct record records[] = {
		{"",            "-+"                     },
		{ "!joe|",      "joe|507|100|/h/joe||"   },
		{ "!joe-",      "joe|507|100|/h/joe|-|"  },
		{ "!joe-list-", "lst|508|100|/h/l|-|pre-"},
		{ "!x+",        "x|9|9|/h/x|-||"         },
		{ "!y",         "y|9|9|/h/y|-|"          },
	};

	(void)state;
	make_cdb(records, 6);
	expect("joe", "joe", "", "");
	expect("JOE", "joe", "", "");
	expect("JOE-Foo.Bar", "joe", "-", "Foo.Bar");
	expect("joe-", "joe", "-", "");
	expect("joe-list", "joe", "-", "list");
	expect("joe-LIST-Owner-x", "lst", "-", "pre-Owner-x");
	expect("x+1", "x", "-", "1");
	expect_code(STRV("joelist"), QE_ABSENT);
	expect_code(STRV("y"), QE_ABSENT); /* y is no wildcard byte */
	expect_code(STRV(""), QE_ABSENT);
	expect_code(STRV("joe\0"), QE_ABSENT);
}

static void
test_assigned_catch_all(void **state)
{
	const struct record records[] = {
		{"!", "alias|7|7|/a|-|"},
		{ "", ""               },
	};

	(void)state;
	make_cdb(records, 2);
	expect("anybody-AT-all", "alias", "-", "anybody-AT-all");
	expect("", "alias", "-", "");
}

static void
test_assigned_fields(void **state)
{
	const struct record records[] = {
		{"",       ""                        },
		{ "!joe|", "joe|507|100|/h/joe|-|ext"},
	};
	struct user_entry entry;

	(void)state;
	make_cdb(records, 2);
	assert_int_equal(
	    users_find_assigned("cdb", STRV("joe"), &cache, &entry), 0);
	assert_int_equal(entry.uid, 507);
	assert_int_equal(entry.gid, 100);
	assert_string_equal(entry.home, "/h/joe");
	assert_string_equal(entry.ext, "ext");
	user_entry_free(&entry);
	assert_null(entry.bytes.data);
}

static void
test_assigned_reopens_what_changed(void **state)
{
	const struct record old[] = {
		{"",       ""           },
		{ "!joe|", "old|1|1|/||"},
	};
	const struct record new[] = {
		{"",       ""           },
		{ "!joe|", "new|1|1|/||"},
	};

	(void)state;
	expect_code(STRV("joe"), QE_ABSENT);
	make_cdb(old, 2);
	expect("joe", "old", "", "");
	make_cdb(new, 2);
	expect("joe", "new", "", "");
	assert_int_equal(unlink("cdb"), 0);
	expect_code(STRV("joe"), QE_ABSENT);
	make_cdb(old, 2);
	expect("joe", "old", "", "");
}

static void
test_assigned_damaged(void **state)
{
	const struct record no_wildcards[] = {
		{"!joe|", "joe|1|1|/||"},
	};
	const struct record few_fields[] = {
		{"",       "-"          },
		{ "!joe|", "joe|1|1|/"  },
		{ "!jim-", "jim|x|1|/||"},
	};

	(void)state;
	make_cdb(no_wildcards, 1);
	expect_code(STRV("joe"), QE_CORRUPT);
	make_cdb(few_fields, 3);
	expect_code(STRV("joe"), QE_CORRUPT);
	expect_code(STRV("jim-x"), QE_CORRUPT);
	unit_write("cdb", STRV("cut"));
	expect_code(STRV("joe"), QE_CORRUPT);
	assert_null(cache);
}

static int
parse(const char *bars, struct user_entry *out)
{
	struct buf bytes = BUF_INIT;
	int r;

	add_fields(&bytes, bars);
	r = users_parse(buf_view(&bytes), out);
	buf_free(&bytes);
	return r;
}

static void
test_parse(void **state)
{
	struct user_entry entry;

	(void)state;
	assert_int_equal(parse("u|1|2|/h|-|e", &entry), 0);
	assert_string_equal(entry.ext, "e");
	user_entry_free(&entry);
	assert_int_equal(parse("u|1|2|/h|-|e|", &entry), 0);
	assert_string_equal(entry.ext, "e");
	user_entry_free(&entry);
	assert_int_equal(parse("u|1|2|/h||", &entry), 0);
	assert_string_equal(entry.dash, "");
	user_entry_free(&entry);
}

static void
test_parse_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"u|1|2|/h|-",
		"u|1|2|/h|-|e||",
		"u|1|2|/h|-|e|x",
		"u|-1|2|/h|-|e",
		"u|1||/h|-|e",
		"u|4294967295|2|/h|-|e",
		"|1|2|/h|-|e",
	};
	struct user_entry entry;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(parse(bad[i], &entry), QE_SYNTAX);
}

/* An account whose home is its own, to look for; root is none. */
static const struct passwd *
some_account(void)
{
	const struct passwd *entry;
	struct stat st;

	if (geteuid() != 0) {
		entry = getpwuid(geteuid());
		return entry != NULL && stat(entry->pw_dir, &st) == 0 &&
			       st.st_uid == entry->pw_uid
			   ? entry
			   : NULL;
	}
	setpwent();
	while ((entry = getpwent()) != NULL)
		if (entry->pw_uid != 0 && strlen(entry->pw_name) <= 31 &&
		    strchr(entry->pw_name, '-') == NULL &&
		    stat(entry->pw_dir, &st) == 0 && st.st_uid == entry->pw_uid)
			break;
	return entry;
}

static void
test_account(void **state)
{
	const struct passwd *known = some_account();
	struct user_entry entry;
	char local[128], name[64];
	uid_t uid;

	(void)state;
	if (known == NULL)
		skip();
	snprintf(name, sizeof(name), "%s", known->pw_name);
	uid = known->pw_uid;
	assert_int_equal(users_find_account(strv_of(name), &entry), 0);
	assert_string_equal(entry.user, name);
	assert_string_equal(entry.dash, "");
	assert_string_equal(entry.ext, "");
	assert_int_equal(entry.uid, uid);
	user_entry_free(&entry);
	snprintf(local, sizeof(local), "%s-Foo-bar", name);
	local[0] = (char)(local[0] >= 'a' && local[0] <= 'z' ? local[0] - 32
							     : local[0]);
	assert_int_equal(users_find_account(strv_of(local), &entry), 0);
	assert_string_equal(entry.user, name);
	assert_string_equal(entry.dash, "-");
	assert_string_equal(entry.ext, "Foo-bar");
	user_entry_free(&entry);
}

/* Without root, alias is a directory of the home. */
static void
test_account_alias_without_root(void **state)
{
	struct user_entry entry;
	char expected[128];

	(void)state;
	if (geteuid() == 0)
		skip();
	env_set("QMAILHOME", directory);
	assert_int_equal(
	    users_find_account(STRV("no-such-user"), &entry), QE_ABSENT);
	assert_int_equal(mkdir("alias", 0700), 0);
	assert_int_equal(users_find_account(STRV("no-such-user"), &entry), 0);
	snprintf(expected, sizeof(expected), "%s/alias", directory);
	assert_string_equal(entry.home, expected);
	assert_string_equal(entry.dash, "-");
	assert_string_equal(entry.ext, "no-such-user");
	assert_int_equal(entry.uid, geteuid());
	user_entry_free(&entry);
	env_unset("QMAILHOME");
}

/* Root's mail never runs as root: the alias user, if there is one, gets it. */
static void
test_account_never_root(void **state)
{
	struct user_entry entry;

	(void)state;
	if (users_find_account(STRV("root"), &entry) == 0) {
		assert_int_not_equal(entry.uid, geteuid() == 0 ? 0 : -1);
		assert_string_equal(entry.ext, "root");
		user_entry_free(&entry);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_assigned),
		CASE(test_assigned_catch_all),
		CASE(test_assigned_fields),
		CASE(test_assigned_reopens_what_changed),
		CASE(test_assigned_damaged),
		CASE(test_parse),
		CASE(test_parse_bad),
		CASE(test_account),
		CASE(test_account_alias_without_root),
		CASE(test_account_never_root),
	};

	return RUN_TESTS(tests);
}
