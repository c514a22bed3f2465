/* smtp/plugin_config: sections, lines, and what is none. */
#include "base/error.h"
#include "base/spawn.h"
#include "smtp/plugin_config.h"
#include "unit.h"

static int
parse(const char *text, struct plugin_config *out, struct control_error *err)
{
	*out = (struct plugin_config){ .items = NULL };
	return plugin_config_parse(strv_of(text), out, err);
}

static void
test_plugin_config_parse(void **state)
{
	struct plugin_config c;
	struct control_error err;

	(void)state;
	assert_int_equal(parse("# first\n"
			       "[rcpt]\n"
			       "  plugins/a  one\ttwo \n"
			       "\n"
			       "[CONTENT]\n"
			       ":echo 'a b' | cat\n"
			       "[auth]\n"
			       "[rcpt]\n"
			       "b",
			     &c, &err),
	    0);
	assert_int_equal(c.count, 3);
	assert_int_equal(c.of_stage[PLUGIN_RCPT], 2);
	assert_int_equal(c.of_stage[PLUGIN_CONTENT], 1);
	assert_int_equal(c.of_stage[PLUGIN_AUTH], 0);
	assert_int_equal(c.items[0].stage, PLUGIN_RCPT);
	assert_string_equal(c.items[0].argv[0], "plugins/a");
	assert_string_equal(c.items[0].argv[1], "one");
	assert_string_equal(c.items[0].argv[2], "two");
	assert_null(c.items[0].argv[3]);
	assert_string_equal(c.items[1].argv[0], "/bin/sh");
	assert_string_equal(c.items[1].argv[1], "-c");
	assert_string_equal(c.items[1].argv[2], "echo 'a b' | cat");
	assert_null(c.items[1].argv[3]);
	assert_string_equal(c.items[2].argv[0], "b");
	plugin_config_free(&c);
	assert_null(c.items);
	assert_int_equal(parse("", &c, &err), 0);
	assert_int_equal(c.count, 0);
	plugin_config_free(&c);
}

static void
test_plugin_config_errors(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *said;
	} cases[] = {
		{"a",            QE_SYNTAX, "line 1: not in a section"     },
		{ "[rcpt]\n[x]", QE_SYNTAX, "line 2: no such section"      },
		{ "[rcpt] a",    QE_SYNTAX, "line 1: no such section"      },
		{ "[]",          QE_SYNTAX, "line 1: no such section"      },
		{ "[",           QE_SYNTAX, "line 1: no such section"      },
		{ "[rcpt]\n:",   QE_SYNTAX, "line 2: no command behind the"},
	};
	struct plugin_config c;
	struct control_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(
		    parse(cases[i].text, &c, &err), cases[i].result);
		assert_non_null(strstr(err.text, cases[i].said));
		assert_null(c.items);
	}
	assert_int_equal(
	    plugin_config_parse(STRV("[rcpt]\n\0\0"), &c, &err), QE_SYNTAX);
	assert_non_null(strstr(err.text, "line 2: has a NUL byte"));
}

static void
test_plugin_config_limits(void **state)
{
	struct buf text = BUF_INIT;
	struct plugin_config c;
	struct control_error err;

	(void)state;
	buf_add_str(&text, "[mail]\n");
	for (int i = 0; i < PLUGINS_MAX; i++)
		buf_add_str(&text, "x\n");
	assert_int_equal(parse(buf_cstr(&text), &c, &err), 0);
	assert_int_equal(c.count, PLUGINS_MAX);
	plugin_config_free(&c);
	buf_add_str(&text, "x\n");
	assert_int_equal(parse(buf_cstr(&text), &c, &err), QE_LIMIT);
	buf_reset(&text);
	buf_add_str(&text, "[mail]\n");
	for (int i = 0; i <= SPAWN_WORDS_MAX; i++)
		buf_add_str(&text, " x");
	assert_int_equal(parse(buf_cstr(&text), &c, &err), QE_LIMIT);
	buf_reset(&text);
	buf_add_str(&text, "[mail]\n:");
	for (int i = 0; i <= PLUGIN_LINE_MAX; i++)
		buf_add_char(&text, 'x');
	assert_int_equal(parse(buf_cstr(&text), &c, &err), QE_LIMIT);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plugin_config_parse),
		cmocka_unit_test(test_plugin_config_errors),
		cmocka_unit_test(test_plugin_config_limits),
	};

	return RUN_TESTS(tests);
}
