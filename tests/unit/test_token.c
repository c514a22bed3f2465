/* mail/token: every kind of token, and what is not one. */
#include "mail/token.h"
#include "unit.h"

struct token_case {
	const char *text;
	enum token_kind kind;
	const char *raw, *meaning, *printed;
};

static const struct token_case singles[] = {
	{"joe",             TOKEN_ATOM,      "joe",           "joe",         "joe"       },
	{ " \t\r\n joe,",   TOKEN_ATOM,      "joe",           "joe",         "joe"       },
	{ "a\\@b",          TOKEN_ATOM,      "a\\@b",         "a@b",         "\"a@b\""   },
	{ "\xc3\xa4=%!",    TOKEN_ATOM,      "\xc3\xa4=%!",   "\xc3\xa4=%!",
         "\xc3\xa4=%!"								   },
	{ "\"a b\"c",       TOKEN_QUOTED,    "\"a b\"",       "a b",         "\"a b\""   },
	{ "\"a\\\"b\"",     TOKEN_QUOTED,    "\"a\\\"b\"",    "a\"b",        "\"a\\\"b\""},
	{ "\"a\n b\"",      TOKEN_QUOTED,    "\"a\n b\"",     "a b",         "\"a b\""   },
	{ "\"\"",           TOKEN_QUOTED,    "\"\"",          "",            "\"\""      },
	{ "[1.2]x",         TOKEN_LITERAL,   "[1.2]",         "[1.2]",       "[1.2]"     },
	{ "(a (b) \\) c)d", TOKEN_COMMENT,   "(a (b) \\) c)", "(a (b) ) c)",
         "(a (b) \\) c)"								 },
	{ "(a\r\n b)",      TOKEN_COMMENT,   "(a\r\n b)",     "(a b)",       "(a b)"     },
	{ ",",              TOKEN_COMMA,     ",",             ",",           ","         },
	{ ";",              TOKEN_SEMICOLON, ";",             ";",           ";"         },
	{ ":",              TOKEN_COLON,     ":",             ":",           ":"         },
	{ "<",              TOKEN_LEFT,      "<",             "<",           "<"         },
	{ ">",              TOKEN_RIGHT,     ">",             ">",           ">"         },
	{ "@",              TOKEN_AT,        "@",             "@",           "@"         },
	{ ".a",             TOKEN_DOT,       ".",             ".",           "."         },
	{ "  ",             TOKEN_END,       "",              "",            ""          },
};

static void
check_single(const struct token_case *c)
{
	struct strv rest = strv_of(c->text);
	struct buf out = BUF_INIT;
	struct token t;

	assert_int_equal(token_next(&rest, &t), 0);
	assert_int_equal(t.kind, c->kind);
	assert_same(t.text, strv_of(c->raw));
	token_add_meaning(&out, &t);
	assert_same(buf_view(&out), strv_of(c->meaning));
	buf_reset(&out);
	token_add_printed(&out, &t);
	assert_same(buf_view(&out), strv_of(c->printed));
	buf_free(&out);
}

static void
test_token_reads_each_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(singles) / sizeof(*singles); i++)
		check_single(&singles[i]);
}

static void
test_token_tells_blanks(void **state)
{
	struct strv rest = STRV("a b");
	struct token t;

	(void)state;
	assert_int_equal(token_next(&rest, &t), 0);
	assert_false(t.spaced);
	assert_int_equal(token_next(&rest, &t), 0);
	assert_true(t.spaced);
	assert_int_equal(token_next(&rest, &t), 0);
	assert_int_equal(t.kind, TOKEN_END);
}

static void
test_token_refuses_what_is_unclosed(void **state)
{
	const struct strv bad[] = {
		STRV("\"abc"),
		STRV("\"abc\\\""),
		STRV("(a(b)"),
		STRV("[1"),
		STRV(")"),
		STRV("]"),
		STRV("a\\"),
		STRV("\0"),
		STRV("\"a\0b\""),
		STRV("a\\\0b"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct strv rest = bad[i];
		struct token t;

		assert_int_equal(token_next(&rest, &t), QE_SYNTAX);
	}
}

/* Whatever the bytes: an end in bounded steps, and always inside them. */
static void
test_token_ends_on_random_bytes(void **state)
{
	static const char alphabet[] = "a\\\"()[]<>@,;:. \n\0";
	uint32_t seed = 7;
	char text[40];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct strv rest = strv_from(text, sizeof(text));
		struct token t = { .kind = TOKEN_DOT };
		size_t steps = 0;

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = alphabet[unit_random(&seed) %
					   (sizeof(alphabet) - 1)];
		while (token_next(&rest, &t) == 0 && t.kind != TOKEN_END)
			assert_true(++steps <= sizeof(text));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_reads_each_kind),
		cmocka_unit_test(test_token_tells_blanks),
		cmocka_unit_test(test_token_refuses_what_is_unclosed),
		cmocka_unit_test(test_token_ends_on_random_bytes),
	};

	return RUN_TESTS(tests);
}
