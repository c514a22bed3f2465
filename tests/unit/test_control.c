/* Unit tests of conf/control.c and conf/control_set.c. */
#include "base/env.h"
#include "conf/control.h"
#include "conf/control_file.h"
#include "scratch.h"

static void
put_bytes(const char *name, const char *bytes, size_t n)
{
	char path[CONTROL_PATH_MAX + 1];

	snprintf(path, sizeof(path), "control/%s", name);
	unit_write(path, strv_from(bytes, n));
}

static void
put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static void
expect_line(enum ctl id, const char *expected)
{
	struct buf out = BUF_INIT;
	struct control_error err;

	assert_int_equal(control_line(id, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), expected);
	buf_free(&out);
}

static void
expect_line_error(enum ctl id, int result, const char *text)
{
	struct buf out = BUF_INIT;
	struct control_error err;

	buf_add_str(&out, "kept");
	assert_int_equal(control_line(id, &out, &err), result);
	assert_string_equal(err.text, text);
	assert_string_equal(buf_cstr(&out), "kept");
	buf_free(&out);
}

static void
test_line_trims_trailing_blanks(void **state)
{
	(void)state;
	put("me", " mail.example \t\nsecond\n");
	expect_line(CTL_ME, " mail.example");
	put("me", "no.newline");
	expect_line(CTL_ME, "no.newline");
}

static void
test_line_empty_file_is_the_empty_string(void **state)
{
	(void)state;
	put("doublebounceto", "");
	expect_line(CTL_DOUBLEBOUNCETO, "");
	put("doublebounceto", " \t\n");
	expect_line(CTL_DOUBLEBOUNCETO, "");
}

static void
test_line_defaults(void **state)
{
	struct control_error err;
	int64_t n;

	(void)state;
	expect_line(CTL_DOUBLEBOUNCETO, "postmaster");
	expect_line(CTL_BOUNCEHOST, "bouncehost");
	expect_line_error(
	    CTL_HELOHOST, QE_ABSENT, "control/me: file does not exist");
	expect_line_error(
	    CTL_SMTPGREETING, QE_ABSENT, "control/me: file does not exist");
	expect_line_error(CTL_ME, QE_ABSENT, "control/me: file does not exist");
	expect_line_error(
	    CTL_P0FSOCK, QE_ABSENT, "control/p0fsock: file does not exist");
	assert_int_equal(control_int(CTL_DATABYTES_PLUS, &n, &err), QE_ABSENT);
	assert_string_equal(
	    err.text, "control/databytes+: file does not exist");
	put("databytes+", "");
	assert_int_equal(control_int(CTL_DATABYTES_PLUS, &n, &err), QE_ABSENT);
	assert_string_equal(err.text, "control/databytes+ line 1: empty");
	put("me", "mail.example\n");
	expect_line(CTL_BOUNCEHOST, "mail.example");
	expect_line(CTL_HELOHOST, "mail.example");
	expect_line(CTL_SMTPGREETING, "mail.example ESMTP");
}

static void
test_line_environment_overrides(void **state)
{
	(void)state;
	put("defaulthost", "file.example\n");
	env_set("QMAILDEFAULTHOST", "env.example ");
	expect_line(CTL_DEFAULTHOST, "env.example");
	env_unset("QMAILDEFAULTHOST");
	expect_line(CTL_DEFAULTHOST, "file.example");
}

static void
test_line_bad_bytes(void **state)
{
	(void)state;
	put_bytes("me", "a\0b\n", 4);
	expect_line_error(CTL_ME, QE_SYNTAX, "control/me line 1: NUL byte");
	put_bytes("me", "a\nb\0\n", 5);
	expect_line_error(CTL_ME, QE_SYNTAX, "control/me line 2: NUL byte");
	put("me", "mail.example\r\n");
	expect_line_error(
	    CTL_ME, QE_SYNTAX, "control/me line 1: carriage return at the end");
}

static void
test_line_unreadable(void **state)
{
	(void)state;
	assert_int_equal(mkdir("control/me", 0700), 0);
	expect_line_error(CTL_ME, QE_SYS, "control/me: is a directory");
	expect_line_error(CTL_HELOHOST, QE_SYS, "control/me: is a directory");
	assert_true(control_exists(CTL_ME));
	assert_false(control_exists(CTL_LOCALS));
}

static void
test_line_huge_file(void **state)
{
	size_t size = CONTROL_VALUE_MAX + 1;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memset(text, 'a', size);
	put_bytes("me", text, size);
	free(text);
	expect_line_error(CTL_ME, QE_LIMIT, "control/me: file too big");
}

static void
expect_int(const char *content, int64_t expected)
{
	struct control_error err;
	int64_t value = -1;

	put("databytes", content);
	assert_int_equal(control_int(CTL_DATABYTES, &value, &err), 0);
	assert_int_equal(value, expected);
}

static void
expect_int_error(const char *content, int result, const char *text)
{
	struct control_error err;
	int64_t value = -7;

	put("databytes", content);
	assert_int_equal(control_int(CTL_DATABYTES, &value, &err), result);
	assert_string_equal(err.text, text);
	assert_int_equal(value, -7);
}

static void
test_int_good(void **state)
{
	(void)state;
	expect_int("5000000\n", 5000000);
	expect_int(" 17 \t\nanything\n", 17);
	expect_int("17 # five per second\n", 17);
	expect_int("17#\n", 17);
	expect_int("", 0);
	expect_int(" \n\n", 0);
	expect_int("1099511627776", INT64_C(1) << 40);
}

static void
test_int_bad(void **state)
{
	const char *no_number = "control/databytes line 1: not a number";

	(void)state;
	expect_int_error("5M\n", QE_SYNTAX, no_number);
	expect_int_error("-1\n", QE_SYNTAX, no_number);
	expect_int_error("1 2\n", QE_SYNTAX, no_number);
	expect_int_error("17\r\n", QE_SYNTAX, no_number);
	expect_int_error("\n17\n", QE_SYNTAX, no_number);
	expect_int_error("# none\n", QE_SYNTAX, no_number);
	expect_int_error("1099511627777\n", QE_LIMIT,
	    "control/databytes line 1: out of range (0 to 1099511627776)");
	expect_int_error("99999999999999999999999\n", QE_LIMIT,
	    "control/databytes line 1: out of range (0 to 1099511627776)");
}

static void
test_int_default_and_override(void **state)
{
	struct control_error err;
	int64_t value;

	(void)state;
	assert_int_equal(control_int(CTL_QUEUELIFETIME, &value, &err), 0);
	assert_int_equal(value, 604800);
	put("databytes", "10\n");
	env_set("DATABYTES", "20");
	assert_int_equal(control_int(CTL_DATABYTES, &value, &err), 0);
	assert_int_equal(value, 20);
	env_set("DATABYTES", "many");
	assert_int_equal(control_int(CTL_DATABYTES, &value, &err), QE_SYNTAX);
	assert_string_equal(err.text, "$DATABYTES: not a number");
	env_unset("DATABYTES");
}

/* No default in the table may fail its own range; some have none. */
static void
test_int_every_default_parses(void **state)
{
	struct control_error err;
	int64_t value;

	(void)state;
	for (int id = 0; id < CTL_COUNT; id++)
		if (control_table[id].kind == CT_INT &&
		    control_fallback((enum ctl)id) != NULL)
			assert_int_equal(
			    control_int((enum ctl)id, &value, &err), 0);
}

static void
test_text(void **state)
{
	struct buf out = BUF_INIT;
	struct control_error err;

	(void)state;
	put("smtpgreeting", "one\ntwo \n\n");
	assert_int_equal(control_text(CTL_SMTPGREETING, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), "one\ntwo");
	buf_free(&out);
}

static const char *
value_of(const struct control_set *set, const char *key)
{
	static char text[64];
	const struct control_entry *entry = control_set_find(set, strv_of(key));

	if (entry == NULL)
		return NULL;
	snprintf(text, sizeof(text), STRV_FMT ":" STRV_FMT ":%u",
	    STRV_ARG(entry->key), STRV_ARG(entry->value), entry->line);
	return text;
}

static void
test_set_list(void **state)
{
	struct control_set set;
	struct control_error err;

	(void)state;
	put("locals", "# mine\nB.example \n\n\t\na.example\nb.EXAMPLE\nlast");
	assert_int_equal(control_set_load(CTL_LOCALS, &set, &err), 0);
	assert_true(set.present);
	assert_int_equal(set.count, 3);
	assert_string_equal(value_of(&set, "b.example"), "b.EXAMPLE::6");
	assert_string_equal(value_of(&set, "A.Example"), "a.example::5");
	assert_string_equal(value_of(&set, "last"), "last::7");
	assert_null(value_of(&set, ""));
	assert_null(value_of(&set, "mine"));
	assert_null(value_of(&set, "example"));
	control_set_free(&set);
	assert_int_equal(set.count, 0);
}

static void
test_set_map(void **state)
{
	struct control_set set;
	struct control_error err;

	(void)state;
	put("virtualdomains", "a.example:joe\nno colon\n:rest\n"
			      "b.example:\nA.EXAMPLE:jim:x \n#c.example:no\n");
	assert_int_equal(control_set_load(CTL_VIRTUALDOMAINS, &set, &err), 0);
	assert_int_equal(set.count, 3);
	assert_string_equal(value_of(&set, "a.example"), "A.EXAMPLE:jim:x:5");
	assert_string_equal(value_of(&set, "b.example"), "b.example::4");
	assert_string_equal(value_of(&set, ""), ":rest:3");
	assert_null(value_of(&set, "c.example"));
	control_set_free(&set);
}

static void
test_set_absent_and_empty(void **state)
{
	struct control_set set;
	struct control_error err;

	(void)state;
	assert_int_equal(control_set_load(CTL_LOCALS, &set, &err), 0);
	assert_false(set.present);
	assert_int_equal(set.count, 0);
	assert_null(control_set_find(&set, STRV("x")));
	control_set_free(&set);
	put("locals", "");
	assert_int_equal(control_set_load(CTL_LOCALS, &set, &err), 0);
	assert_true(set.present);
	control_set_free(&set);
}

static void
test_set_bad_bytes(void **state)
{
	struct control_set set;
	struct control_error err;

	(void)state;
	put("locals", "a\nb\r\nc\n");
	assert_int_equal(control_set_load(CTL_LOCALS, &set, &err), QE_SYNTAX);
	assert_string_equal(
	    err.text, "control/locals line 2: carriage return at the end");
	put_bytes("locals", "a\nb\n\0c\n", 7);
	assert_int_equal(control_set_load(CTL_LOCALS, &set, &err), QE_SYNTAX);
	assert_string_equal(err.text, "control/locals line 3: NUL byte");
	assert_int_equal(mkdir("control/rcpthosts", 0700), 0);
	assert_int_equal(control_set_load(CTL_RCPTHOSTS, &set, &err), QE_SYS);
	assert_string_equal(err.text, "control/rcpthosts: is a directory");
}

static void
test_set_many_in_any_order(void **state)
{
	enum { MANY = 100000, STEP = 7919 };
	struct control_set set;
	struct control_error err;
	struct buf text = BUF_LIMIT(1 << 24);
	char key[32];

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		buf_addf(&text, "d%u.Example:%u\n", i * STEP % MANY, i);
	buf_add_str(&text, "d5.EXAMPLE:later\n");
	assert_int_equal(
	    control_set_parse(buf_view(&text), CT_MAP, "memory", &set, &err),
	    0);
	buf_free(&text);
	assert_int_equal(set.count, MANY);
	for (unsigned i = 0; i < MANY; i += 997) {
		snprintf(key, sizeof(key), "D%u.example", i);
		assert_non_null(control_set_find(&set, strv_of(key)));
	}
	assert_string_equal(
	    value_of(&set, "d5.example"), "d5.EXAMPLE:later:100001");
	assert_null(control_set_find(&set, STRV("d100000.example")));
	control_set_free(&set);
}

#define CASE(f)                                                                \
	cmocka_unit_test_setup_teardown(f, scratch_enter_control, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_line_trims_trailing_blanks),
		CASE(test_line_empty_file_is_the_empty_string),
		CASE(test_line_defaults),
		CASE(test_line_environment_overrides),
		CASE(test_line_bad_bytes),
		CASE(test_line_unreadable),
		CASE(test_line_huge_file),
		CASE(test_int_good),
		CASE(test_int_bad),
		CASE(test_int_default_and_override),
		CASE(test_int_every_default_parses),
		CASE(test_text),
		CASE(test_set_list),
		CASE(test_set_map),
		CASE(test_set_absent_and_empty),
		CASE(test_set_bad_bytes),
		CASE(test_set_many_in_any_order),
	};

	return RUN_TESTS(tests);
}
