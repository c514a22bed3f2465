/* smtp/plugin_output: commands of plugins, and what is none. */
#include "base/error.h"
#include "smtp/plugin_output.h"
#include "unit.h"

static int
take(struct strv *rest, struct plugin_command *c)
{
	struct strv line;

	return plugin_command_next(rest, PLUGIN_RCPT, c, &line);
}

static void
test_plugin_command_next(void **state)
{
	struct strv rest = STRV("\nA\r\nE550 no\nLD450 later\nSX=a=b\n\nH"
				"X-Y: z\nCa@b\nUX\nP250-x\nD\n\n");
	static const struct {
		char verb;
		const char *argument;
	} want[] = {
		{'A',  ""         },
		{ 'E', "550 no"   },
		{ 'L', "450 later"},
		{ 'S', "X=a=b"    },
		{ 'H', "X-Y: z"   },
		{ 'C', "a@b"      },
		{ 'U', "X"        },
		{ 'P', "250-x"    },
		{ 'D', ""         },
	};
	struct plugin_command c;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		assert_int_equal(take(&rest, &c), 0);
		assert_int_equal(c.verb, want[i].verb);
		assert_true(strv_eq(c.argument, strv_of(want[i].argument)));
		if (c.verb == PLUGIN_LATER)
			assert_int_equal(c.until, PLUGIN_DATA);
	}
	assert_int_equal(take(&rest, &c), QE_EOF);
}

static void
test_plugin_command_is_none(void **state)
{
	static const char *const bad[] = { "A", "A \n", "Ax\n", "x\n", " A\n",
		"N1\n", "O \n", "Dx\n", "E\n", "E55 x\n", "E550x\n", "E354 x\n",
		"E150 x\n", "E600 x\n", "L\n", "LM\n", "LM250 x\n", "LX550 x\n",
		"R\n", "S\n", "SX\n", "S=x\n", "S1=x\n", "SA B=x\n", "U\n",
		"U1\n", "UA=\n", "H\n", "Hx\n", "H: x\n", "HX-Y: a\x01\n",
		"HX-Y: a\rb\n", "C\n", "Ca\rb\n", "P\n", "Phello\n" };
	struct plugin_command c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct strv rest = strv_of(bad[i]);

		assert_int_equal(take(&rest, &c), QE_SYNTAX);
	}
	assert_int_equal(take(&STRV("E550 a\0b\n"), &c), QE_SYNTAX);
}

static void
test_plugin_command_change_needs_an_address_to_change(void **state)
{
	static const bool may[PLUGIN_STAGES] = {
		[PLUGIN_MAIL] = true, [PLUGIN_RCPT] = true
	};
	struct plugin_command c;
	struct strv line;

	(void)state;
	for (int i = 0; i < PLUGIN_STAGES; i++) {
		struct strv rest = STRV("Ca@b\n");

		assert_int_equal(
		    plugin_command_next(&rest, (enum plugin_stage)i, &c, &line),
		    may[i] ? 0 : QE_SYNTAX);
	}
	/* The sender of a bounce. */
	assert_int_equal(
	    plugin_command_next(&STRV("C\n"), PLUGIN_MAIL, &c, &line), 0);
}

static void
test_plugin_command_limits(void **state)
{
	struct buf b = BUF_INIT;
	struct plugin_command c;
	struct strv rest;

	(void)state;
	buf_add_char(&b, 'C');
	for (int i = 0; i < PLUGIN_ADDRESS_MAX; i++)
		buf_add_char(&b, 'x');
	buf_add_char(&b, '\n');
	rest = buf_view(&b);
	assert_int_equal(take(&rest, &c), 0);
	b.data[b.len - 1] = 'x';
	buf_add_char(&b, '\n');
	rest = buf_view(&b);
	assert_int_equal(take(&rest, &c), QE_SYNTAX);
	buf_free(&b);
}

static void
test_plugin_reply_parse(void **state)
{
	struct reply reply;

	(void)state;
	assert_int_equal(plugin_reply_parse(STRV("550 5.7.1  no "), &reply), 0);
	assert_int_equal(reply.code, 550);
	assert_string_equal(reply.text, "5.7.1  no");
	assert_null(reply.enhanced);
	assert_false(reply.close);
	assert_int_equal(plugin_reply_parse(STRV("421-x"), &reply), 0);
	assert_true(reply.close);
	assert_int_equal(plugin_reply_parse(STRV("250"), &reply), 0);
	assert_string_equal(reply.text, "");
	assert_int_equal(plugin_reply_parse(STRV(""), &reply), QE_SYNTAX);
	assert_int_equal(plugin_reply_parse(STRV("+55 x"), &reply), QE_SYNTAX);
}

static void
test_plugin_variable(void **state)
{
	struct strv value;

	(void)state;
	assert_true(strv_eq(plugin_variable(STRV("A=b=c"), &value), STRV("A")));
	assert_true(strv_eq(value, STRV("b=c")));
	assert_true(strv_eq(plugin_variable(STRV("A"), &value), STRV("A")));
	assert_int_equal(value.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plugin_command_next),
		cmocka_unit_test(test_plugin_command_is_none),
		cmocka_unit_test(
		    test_plugin_command_change_needs_an_address_to_change),
		cmocka_unit_test(test_plugin_command_limits),
		cmocka_unit_test(test_plugin_reply_parse),
		cmocka_unit_test(test_plugin_variable),
	};

	return RUN_TESTS(tests);
}
