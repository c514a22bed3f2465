/* mail/address: splitting, path syntax, quoting. */
#include "mail/address.h"
#include "unit.h"

static void
test_address_splits_at_the_last_at(void **state)
{
	(void)state;
	assert_view(address_domain(STRV("a@b@c")), "c");
	assert_view(address_local(STRV("a@b@c")), "a@b");
	assert_view(address_domain(STRV("joe")), "");
	assert_view(address_local(STRV("joe")), "joe");
	assert_view(address_domain(STRV("@")), "");
	assert_view(address_local(STRV("@x")), "");
	assert_view(address_domain(STRV("#@[]")), "[]");
	assert_view(address_domain(STRV_EMPTY), "");
}

struct path_case {
	const char *argument, *address, *rest;
	bool brackets;
};

static const struct path_case good_paths[] = {
	{"<joe@x.example>",       "joe@x.example", "",               true },
	{ " <joe@x> SIZE=10",     "joe@x",         " SIZE=10",       true },
	{ "<>",		   "",              "",               true },
	{ "<> BODY=8BITMIME",     "",              " BODY=8BITMIME", true },
	{ "Joe <joe@x>",          "joe@x",         "",               true },
	{ "<@a,@b:joe@x>",        "joe@x",         "",               true },
	{ "<@[IPv6:1::2]:joe@x>", "joe@x",         "",               true },
	{ "<@trash>",             "@trash",        "",               true },
	{ "<@trash> X:Y",         "@trash",        " X:Y",           true },
	{ "<\"a b\"@x>",          "a b@x",         "",               true },
	{ "<\"a>b\"@x>rest",      "a>b@x",         "rest",           true },
	{ "<\"a\\\"b\"@x>",       "a\"b@x",        "",               true },
	{ "<a\\>b@x>",            "a>b@x",         "",               true },
	{ "<a\\\\b@x>",           "a\\b@x",        "",               true },
	{ "joe@x SIZE=1",         "joe@x",         " SIZE=1",        false},
	{ "  joe@x\tSIZE=1",      "joe@x",         "\tSIZE=1",       false},
	{ "joe@x AUTH=<>",        "joe@x",         " AUTH=<>",       false},
	{ "<joe@x> AUTH=<>",      "joe@x",         " AUTH=<>",       true },
	{ "",		     "",              "",               false},
	{ "   ",		  "",              "",               false},
	{ "\"a b\"@x y",          "a b@x",         " y",             false},
	{ "<\xc3\xa4@x>",         "\xc3\xa4@x",    "",               true },
	{ "<@[1.2.3.4]>",         "@[1.2.3.4]",    "",               true },
};

static void
test_address_parse_path_accepts(void **state)
{
	size_t count = sizeof(good_paths) / sizeof(*good_paths);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct path_case *c = &good_paths[i];
		struct buf out = BUF_INIT;
		struct strv rest;
		bool brackets;

		assert_int_equal(address_parse_path(strv_of(c->argument), &out,
				     &brackets, &rest),
		    0);
		assert_same(buf_view(&out), strv_of(c->address));
		assert_same(rest, strv_of(c->rest));
		assert_int_equal(brackets, c->brackets);
		buf_free(&out);
	}
}

static const struct strv bad_paths[] = {
	{"<joe@x",         6 },
	{ "<",             1 },
	{ "<\"joe@x>",     8 },
	{ "<joe\\",        5 },
	{ "joe\\",         4 },
	{ "\"joe",         4 },
	{ "<joe\0@x>",     8 },
	{ "<joe\r@x>",     8 },
	{ "<joe\n@x>",     8 },
	{ "<j@x> A=\nB",   10},
	{ "<\"j\\\n\"@x>", 9 },
	{ "<@a:joe@x",     9 },
};

static void
test_address_parse_path_refuses_and_leaves_out_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_paths) / sizeof(*bad_paths); i++) {
		struct buf out = BUF_INIT;
		struct strv rest = STRV("untouched");
		bool brackets = true;

		buf_add_str(&out, "kept");
		assert_int_equal(
		    address_parse_path(bad_paths[i], &out, &brackets, &rest),
		    QE_SYNTAX);
		assert_buf(&out, "kept");
		assert_int_equal(out.err, 0);
		assert_view(rest, "untouched");
		buf_free(&out);
	}
}

static void
test_address_parse_path_limits_length(void **state)
{
	struct buf out = BUF_LIMIT(5);
	struct strv rest;
	bool brackets;

	(void)state;
	assert_int_equal(
	    address_parse_path(STRV("<a@b.c>"), &out, &brackets, &rest), 0);
	buf_reset(&out);
	assert_int_equal(
	    address_parse_path(STRV("<a@b.cd>"), &out, &brackets, &rest),
	    QE_LIMIT);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

static const char *const quoted[][2] = {
	{"joe@x",                  "joe@x"                },
	{ "",		      ""		     },
	{ "@x",		    "\"\"@x"               },
	{ "joe",		   "joe"                  },
	{ "a b@x",                 "\"a b\"@x"            },
	{ ".a@x",		  "\".a\"@x"             },
	{ "a.@x",		  "\"a.\"@x"             },
	{ "a..b@x",                "\"a..b\"@x"           },
	{ "a.b@x",                 "a.b@x"                },
	{ "a\"b@x",                "\"a\\\"b\"@x"         },
	{ "a\\b@x",                "\"a\\\\b\"@x"         },
	{ "a\nb@x",                "\"a\\\nb\"@x"         },
	{ "a@b@x",                 "\"a@b\"@x"            },
	{ "\xe9@x",                "\"\xe9\"@x"           },
	{ "\x7f@x",                "\"\x7f\"@x"           },
	{ "#@[]",		  "#@[]"                 },
	{ "j-!$%&'*+/=?^_`{|}~@x", "j-!$%&'*+/=?^_`{|}~@x"},
	{ "a,b@x",                 "\"a,b\"@x"            },
};

static void
test_address_quotes_only_where_needed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(quoted) / sizeof(*quoted); i++) {
		struct buf out = BUF_INIT;

		address_add_quoted(&out, strv_of(quoted[i][0]));
		assert_same(buf_view(&out), strv_of(quoted[i][1]));
		buf_free(&out);
	}
}

/* What is quoted comes back whole: over random local parts. */
static void
test_address_round_trip(void **state)
{
	static const char bytes[] = "ab.@\\\"<>() ,;:[]\t\x80\xff-";
	uint32_t seed = 42;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct buf address = BUF_INIT, wire = BUF_INIT, back = BUF_INIT;
		size_t n = unit_random(&seed) % 9;
		struct strv rest;
		bool brackets;

		while (n-- > 0)
			buf_add_char(&address,
			    bytes[unit_random(&seed) % (sizeof(bytes) - 1)]);
		buf_add_str(&address, "@x.example");
		buf_add_char(&wire, '<');
		address_add_quoted(&wire, buf_view(&address));
		buf_add_char(&wire, '>');
		assert_int_equal(address_parse_path(
				     buf_view(&wire), &back, &brackets, &rest),
		    0);
		assert_same(buf_view(&back), buf_view(&address));
		assert_int_equal(rest.len, 0);
		buf_free(&address);
		buf_free(&wire);
		buf_free(&back);
	}
}

static void
test_address_is_poisoned(void **state)
{
	(void)state;
	assert_true(address_is_poisoned(STRV("a\0b")));
	assert_true(address_is_poisoned(STRV("a\r")));
	assert_true(address_is_poisoned(STRV("\nb")));
	assert_false(address_is_poisoned(STRV("a b\t\xff@x")));
	assert_false(address_is_poisoned(STRV_EMPTY));
}

static void
test_address_breaks_its_path(void **state)
{
	static const char *const bad[] = { "a@b> SIZE=1", "a@b c", "a@\t",
		"a@<b", "a@b\"", "a@b\\", "a@b\x7f", "a@b\r", "a\r@b", "\n" };
	static const char *const good[] = { "", "#@[]", "a b>\t\"@c", "joe> X",
		"@x", "a@[IPv6:::1]", "a@b-@[]", "a@\xc3\xa4.example" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_true(address_breaks_path(strv_of(bad[i])));
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_false(address_breaks_path(strv_of(good[i])));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_splits_at_the_last_at),
		cmocka_unit_test(test_address_parse_path_accepts),
		cmocka_unit_test(
		    test_address_parse_path_refuses_and_leaves_out_alone),
		cmocka_unit_test(test_address_parse_path_limits_length),
		cmocka_unit_test(test_address_quotes_only_where_needed),
		cmocka_unit_test(test_address_round_trip),
		cmocka_unit_test(test_address_is_poisoned),
		cmocka_unit_test(test_address_breaks_its_path),
	};

	return RUN_TESTS(tests);
}
