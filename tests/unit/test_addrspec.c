/* mail/addrspec: one address among tokens, and where it ends. */
#include "mail/addrspec.h"
#include "unit.h"

static const struct address_rules rules = {
	{"host",  4},
        { "dom",  3},
        { "plus", 4}
};

enum { TOKENS_MAX = 20 };

static struct token_run
tokenize(struct strv text, struct token items[TOKENS_MAX])
{
	struct token_run run = { .items = items };

	while (run.count < TOKENS_MAX &&
	       token_next(&text, &items[run.count]) == 0 &&
	       items[run.count].kind != TOKEN_END)
		run.count++;
	return run;
}

struct spec_case {
	const char *text;
	size_t from, to; /* tokens */
	int result;
	const char *printed, *plain;
};

static const struct spec_case cases[] = {
	{"a",		0, 1, 0,         "a@host.dom",     "a@host.dom"},
	{ "a b",             0, 1, 0,         "a@host.dom",     "a@host.dom"},
	{ "a b",             1, 2, 0,         "b@host.dom",     "b@host.dom"},
	{ "(x) a@b.c (y) d", 0, 7, 0,         "a@b.c",          "a@b.c"     },
	{ "\"a b\"@c+ x",    0, 3, 0,         "\"a b\"@c.plus", "a b@c.plus"},
	{ "l-@h-@[] x",      0, 5, 0,         "l-@h-@[]",       "l-@h-@[]"  },
	{ "a@b@c",           0, 0, QE_SYNTAX, "",               ""          },
	{ "(x)",             0, 0, QE_SYNTAX, "",               ""          },
	{ "@b",              0, 0, QE_SYNTAX, "",               ""          },
};

static void
test_addrspec_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct token items[TOKENS_MAX];
		struct token_run run = tokenize(strv_of(cases[i].text), items);
		struct buf printed = BUF_INIT, plain = BUF_INIT;
		size_t at = cases[i].from;
		int r = addrspec_parse(&run, &at, &rules, &printed, &plain);

		assert_int_equal(r, cases[i].result);
		if (r == 0) {
			assert_int_equal(at, cases[i].to);
			assert_same(
			    buf_view(&printed), strv_of(cases[i].printed));
			assert_same(buf_view(&plain), strv_of(cases[i].plain));
		}
		buf_free(&printed);
		buf_free(&plain);
	}
}

static void
test_addrspec_comments(void **state)
{
	struct token items[TOKENS_MAX];
	struct token_run run = tokenize(STRV("(a)(b) c (d\n e) (f)"), items);
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(addrspec_skip_comments(&run, 0), 2);
	assert_int_equal(addrspec_skip_comments(&run, 2), 2);
	assert_int_equal(addrspec_skip_comments(&run, 3), run.count);
	addrspec_add_comments(&run, 1, 4, &out);
	assert_buf(&out, " (b) (d e)");
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addrspec_parse),
		cmocka_unit_test(test_addrspec_comments),
	};

	return RUN_TESTS(tests);
}
