/* mail/addrlist: lists rewritten and taken apart. */
#include "mail/addrlist.h"
#include "unit.h"

static const struct address_rules rules = {
	{"host",          4 },
        { "dom.example",  11},
        { "plus.example", 12}
};

struct list_case {
	const char *text, *printed;
	const char *addresses; /* separated by blanks; <> is "<>" */
};

static const struct list_case good[] = {
	{"",				     "",				       ""                    },
	{ " \n\t",			       "",				       ""                    },
	{ ",,",				  "",				       ""                    },
	{ "(nobody)",			    "",				       ""                    },
	{ "joe",				 "joe@host.dom.example",                   "joe@host.dom.example"},
	{ "joe@x",			       "joe@x.dom.example",                      "joe@x.dom.example"   },
	{ "joe@x.y",			     "joe@x.y",				"joe@x.y"             },
	{ "joe@x+",			      "joe@x.plus.example",                     "joe@x.plus.example"  },
	{ "joe@a.b+",			    "joe@a.b.plus.example",                   "joe@a.b.plus.example"},
	{ "joe@+",			       "joe@plus.example",                       "joe@plus.example"    },
	{ "joe@[1.2.3.4]",                       "joe@[1.2.3.4]",                          "joe@[1.2.3.4]"       },
	{ "joe@[]",			      "joe@[]",				 "joe@[]"              },
	{ "#@[]",				"#@[]",				   "#@[]"                },
	{ "l-@h-@[]",			    "l-@h-@[]",                               "l-@h-@[]"            },
	{ "<l-@h-@[]>",			  "<l-@h-@[]>",                             "l-@h-@[]"            },
	{ "joe@.x.y",			    "joe@x.y",                                "joe@x.y"             },
	{ "joe@@x.y",			    "joe@x.y",                                "joe@x.y"             },
	{ "joe . doe @ x . y",                   "joe.doe@x.y",                            "joe.doe@x.y"         },
	{ "a.b..c@x.y",			  "a.b..c@x.y",                             "a.b..c@x.y"          },
	{ "<>",				  "<>",				     "<>"                  },
	{ "Null < (c) >",                        "Null <> (c)",                            "<>"                  },
	{ "<joe>",			       "<joe@host.dom.example>",                 "joe@host.dom.example"},
	{ "Joe Doe <joe@x.y>",                   "Joe Doe <joe@x.y>",                      "joe@x.y"             },
	{ "Joe Q. Doe<joe@x.y>",                 "Joe Q. Doe <joe@x.y>",                   "joe@x.y"             },
	{ "\"Doe, Joe\" <joe@x.y>",              "\"Doe, Joe\" <joe@x.y>",                 "joe@x.y"             },
	{ "[work] Joe <joe@x.y>",                "[work] Joe <joe@x.y>",                   "joe@x.y"             },
	{ "<@a,@b:joe@x.y>",                     "<joe@x.y>",                              "joe@x.y"             },
	{ "J <@a:joe@x.y>",                      "J <joe@x.y>",                            "joe@x.y"             },
	{ "<@a:>",			       "<>",				     "<>"                  },
	{ "joe@x.y (Joe)",                       "joe@x.y (Joe)",                          "joe@x.y"             },
	{ "(Joe) joe@x.y",                       "joe@x.y (Joe)",                          "joe@x.y"             },
	{ "joe (the) @ (man) x.y (!)",           "joe@x.y (the) (man) (!)",                "joe@x.y"             },
	{ "Joe (a) D <joe (b) @x.y> (c), d@e.f",
         "Joe D <joe@x.y> (b) (a) (c), d@e.f",                                             "joe@x.y d@e.f"       },
	{ "a@x.y b@x.y",			 "a@x.y, b@x.y",                           "a@x.y b@x.y"         },
	{ "a@x.y (A) b@x.y (B)",                 "a@x.y (A), b@x.y (B)",                   "a@x.y b@x.y"         },
	{ "a b",				 "a@host.dom.example, b@host.dom.example",
         "a@host.dom.example b@host.dom.example"								 },
	{ "<a@x.y> <b@x.y>",                     "<a@x.y>, <b@x.y>",                       "a@x.y b@x.y"         },
	{ "a@x.y <b@x.y>",                       "a@x.y, <b@x.y>",                         "a@x.y b@x.y"         },
	{ "a@x.y Joe D. <b@x.y>",                "a@x.y, Joe D. <b@x.y>",                  "a@x.y b@x.y"         },
	{ "<a@x.y> b@x.y",                       "<a@x.y>, b@x.y",                         "a@x.y b@x.y"         },
	{ "a@x.y,,b@x.y,",                       "a@x.y, b@x.y",                           "a@x.y b@x.y"         },
	{ "a@x.y\n ,\n\tb@x.y",                  "a@x.y, b@x.y",                           "a@x.y b@x.y"         },
	{ "recipient list not shown: ;",         "recipient list not shown: ;",            ""                    },
	{ "none:;",			      "none: ;",				""                    },
	{ "g: a@x.y, B <b@x.y>;",                "g: a@x.y, B <b@x.y>;",                   "a@x.y b@x.y"         },
	{ "g: a@x.y;, c@x.y",                    "g: a@x.y;, c@x.y",                       "a@x.y c@x.y"         },
	{ "g: a@x.y; c@x.y",                     "g: a@x.y;, c@x.y",                       "a@x.y c@x.y"         },
	{ "\"a b\"@x.y",			 "\"a b\"@x.y",                            "a\001b@x.y"          },
	{ "a\\@b@x.y",			   "\"a@b\"@x.y",                            "a@b@x.y"             },
	{ "joe%a@x.y",			   "joe%a@x.y",                              "joe%a@x.y"           },
	{ "joe@x.y\r\n",			 "joe@x.y",                                "joe@x.y"             },
};

/* "a\0b\0" as "a b"; a blank inside shows as \001. */
static void
show(const struct addrlist *list, struct buf *out)
{
	struct strv all = buf_view(&list->addresses);

	while (all.len > 0) {
		struct strv one = strv_cut(&all, '\0', NULL);

		if (out->len > 0)
			buf_add_char(out, ' ');
		if (one.len == 0)
			buf_add_str(out, "<>");
		for (size_t i = 0; i < one.len; i++)
			buf_add_char(
			    out, one.ptr[i] == ' ' ? '\001' : one.ptr[i]);
	}
}

static void
test_addrlist_rewrites(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct addrlist list = ADDRLIST_INIT;
		struct buf shown = BUF_INIT;

		assert_int_equal(
		    addrlist_parse(strv_of(good[i].text), &rules, 0, &list), 0);
		assert_same(buf_view(&list.printed), strv_of(good[i].printed));
		show(&list, &shown);
		assert_same(buf_view(&shown), strv_of(good[i].addresses));
		buf_free(&shown);
		addrlist_free(&list);
	}
}

/* What was printed once is printed the same again. */
static void
test_addrlist_printing_is_stable(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct addrlist list = ADDRLIST_INIT;
		size_t len = strlen(good[i].printed);

		assert_int_equal(addrlist_parse(strv_from(good[i].printed, len),
				     &rules, 0, &list),
		    0);
		/* All but one comment order: those inside <> come first. */
		if (strstr(good[i].text, "(b)") == NULL)
			assert_same(
			    buf_view(&list.printed), strv_of(good[i].printed));
		addrlist_free(&list);
	}
}

static const char *const bad[] = {
	"@x.y",
	"joe@",
	"joe@,a@b.c",
	"a@b@c",
	"joe@x.y>",
	"<joe@x.y",
	"<joe@x.y, b@c.d>",
	"<joe doe>",
	"<a<b>>",
	"<@a@b.c>",
	"<joe@x.y;>",
	"g: a@x.y",
	"g: h: a@x.y;;",
	"a@x.y;",
	":a;",
	"a@b: c;",
	"\"joe",
	"joe (doe",
	"joe)",
	"joe@[1.2",
	"[1.2.3.4]",
	"joe@\"x\"",
	"joe@x.y [z]",
	"joe@x\\y",
	"joe@[1\\]2]",
	"@",
	".",
	"<.>",
};

static void
test_addrlist_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct addrlist list = ADDRLIST_INIT;

		if (addrlist_parse(strv_of(bad[i]), &rules, 0, &list) !=
		    QE_SYNTAX)
			fail_msg("accepted: %s as " STRV_FMT, bad[i],
			    STRV_ARG(buf_view(&list.printed)));
		addrlist_free(&list);
	}
}

static void
test_addrlist_folds_at_80_columns(void **state)
{
	struct addrlist list = ADDRLIST_INIT;
	struct buf text = BUF_INIT;
	struct strv rest;

	(void)state;
	for (int i = 0; i < 200; i++)
		buf_addf(&text, "user%d@host%d.example ", i, i * 7919);
	assert_int_equal(addrlist_parse(buf_view(&text), &rules, 4, &list), 0);
	assert_int_equal(list.count, 200);
	rest = buf_view(&list.printed);
	while (rest.len > 0) {
		struct strv line = strv_cut(&rest, '\n', NULL);

		assert_true(line.len <= 80);
		if (rest.len > 0) {
			assert_true(strv_starts(rest, STRV("  user")));
			assert_int_equal(line.ptr[line.len - 1], ',');
			assert_true(line.len > 40);
		}
	}
	addrlist_free(&list);
	buf_free(&text);
}

static void
test_addrlist_limits(void **state)
{
	struct addrlist list = ADDRLIST_INIT;
	struct buf text = BUF_INIT;

	(void)state;
	for (int i = 0; i < ADDRLIST_ADDRESS_MAX; i++)
		buf_add_char(&text, 'a');
	buf_add_str(&text, "@x.y");
	assert_int_equal(
	    addrlist_parse(buf_view(&text), &rules, 0, &list), QE_LIMIT);
	addrlist_free(&list);
	assert_int_equal(
	    addrlist_parse(strv_skip(buf_view(&text), 4), &rules, 0, &list), 0);
	addrlist_free(&list);
	buf_reset(&text);
	for (int i = 0; i < ADDRLIST_ELEMENT_TOKENS + 1; i++)
		buf_add_str(&text, "a ");
	assert_int_equal(
	    addrlist_parse(buf_view(&text), &rules, 0, &list), QE_LIMIT);
	addrlist_free(&list);
	buf_free(&text);
}

/* Random lists never crash, and what they yield is printable again. */
static void
test_addrlist_random_lists(void **state)
{
	static const char *const pieces[] = { "a", "b.c", "@", "<", ">", ",",
		";", ":", "(x)", "\"q\"", "[1]", " ", "\n ", ".", "@[]", "+",
		"\\" };
	uint32_t seed = 99;

	(void)state;
	for (int round = 0; round < 30000; round++) {
		struct addrlist list = ADDRLIST_INIT, again = ADDRLIST_INIT;
		struct buf text = BUF_INIT;

		for (unsigned i = unit_random(&seed) % 12; i > 0; i--)
			buf_add_str(
			    &text, pieces[unit_random(&seed) %
					  (sizeof(pieces) / sizeof(*pieces))]);
		if (addrlist_parse(buf_view(&text), &rules, 0, &list) == 0) {
			assert_int_equal(addrlist_parse(buf_view(&list.printed),
					     &rules, 0, &again),
			    0);
			assert_int_equal(list.count, again.count);
			assert_same(buf_view(&list.addresses),
			    buf_view(&again.addresses));
		}
		addrlist_free(&list);
		addrlist_free(&again);
		buf_free(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addrlist_rewrites),
		cmocka_unit_test(test_addrlist_printing_is_stable),
		cmocka_unit_test(test_addrlist_refuses),
		cmocka_unit_test(test_addrlist_folds_at_80_columns),
		cmocka_unit_test(test_addrlist_limits),
		cmocka_unit_test(test_addrlist_random_lists),
	};

	return RUN_TESTS(tests);
}
