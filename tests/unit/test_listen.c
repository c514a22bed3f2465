/* listen: rules of tcprules(1), and places. */
#include "base/cdb.h"
#include "base/net.h"
#include "listen/places.h"
#include "listen/rules.h"
#include "scratch.h"

struct row {
	const char *key;
	struct strv value;
};

/* Writes rules.cdb in place of what there is. */
static void
write_rules(const struct row *rows, size_t count)
{
	struct cdb_writer *w = NULL;

	assert_int_equal(cdb_writer_open("rules.tmp", 0644, &w), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(
		    cdb_writer_add(w, strv_of(rows[i].key), rows[i].value), 0);
	assert_int_equal(cdb_writer_commit(&w, "rules.cdb"), 0);
}

static struct ipaddr
address(const char *text)
{
	struct ipaddr ip;

	assert_int_equal(ipaddr_parse(strv_of(text), &ip), 0);
	return ip;
}

static const struct row rows[] = {
	{"192.0.2.1",				{ "+WHO=host\0", 10 }                },
	{ "192.0.2.",				{ "+WHO=net\0+MORE=\0", 16 }         },
	{ "192.",				    { "D\0", 2 }                         },
	{ "2001:db8::1",			     { "+WHO=text\0", 10 }                },
	{ "2001.0db8.0000.0000.0000.0000.0000.0002", { "+WHO=long\0", 10 }                },
	{ "2001.0db8.",			      { "+WHO=six\0", 9 }                  },
	{ "",					{ "+WHO=none\0+A=1\0+WHO=all\0", 24 }},
};

static void
test_first_rule_of_an_address(void **state)
{
	static const struct {
		const char *client, *who;
	} cases[] = {
		{"192.0.2.1",         "host"},
		{ "192.0.2.10",       "net" },
		{ "192.0.3.1",        NULL  },
		{ "19.0.2.1",         "all" },
		{ "2001:db8::1",      "text"},
		{ "2001:db8::2",      "long"},
		{ "2001:db8:1::2",    "six" },
		{ "2001:db9::",       "all" },
		{ "::ffff:192.0.2.1", "host"},
	};
	struct rules rules = { .path = "rules.cdb" };
	struct ruling ruling = { 0 };

	(void)state;
	write_rules(rows, sizeof(rows) / sizeof(*rows));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ipaddr client = address(cases[i].client);

		assert_int_equal(rules_find(&rules, &client, &ruling), 0);
		assert_int_equal(ruling.deny, cases[i].who == NULL);
		if (cases[i].who == NULL)
			assert_null(ruling_get(&ruling, "WHO"));
		else
			assert_string_equal(
			    ruling_get(&ruling, "WHO"), cases[i].who);
	}
	rules_free(&rules, &ruling);
}

static void
test_variables(void **state)
{
	struct rules rules = { .path = "rules.cdb" };
	struct ruling ruling = { 0 };
	struct ipaddr client = address("192.0.2.2");

	(void)state;
	write_rules(rows, sizeof(rows) / sizeof(*rows));
	assert_int_equal(rules_find(&rules, &client, &ruling), 0);
	assert_int_equal(ruling.count, 2);
	assert_string_equal(ruling.variables[0], "WHO=net");
	assert_string_equal(ruling.variables[1], "MORE=");
	assert_null(ruling.variables[2]);
	assert_string_equal(ruling_get(&ruling, "MORE"), "");
	assert_null(ruling_get(&ruling, "MOR"));
	rules_free(&rules, &ruling);
}

static void
test_file_is_taken_up_again(void **state)
{
	static const struct row later[] = {
		{"", { "D\0", 2 }}
	};
	struct rules rules = { .path = "rules.cdb" };
	struct ruling ruling = { 0 };
	struct ipaddr client = address("10.0.0.1");

	(void)state;
	assert_int_equal(rules_find(&rules, &client, &ruling), QE_ABSENT);
	rules.optional = true;
	assert_int_equal(rules_find(&rules, &client, &ruling), 0);
	assert_int_equal(ruling.count, 0);
	write_rules(rows, sizeof(rows) / sizeof(*rows));
	assert_int_equal(rules_find(&rules, &client, &ruling), 0);
	assert_false(ruling.deny);
	assert_int_equal(ruling.count, 2);
	write_rules(later, 1);
	assert_int_equal(rules_find(&rules, &client, &ruling), 0);
	assert_true(ruling.deny);
	assert_int_equal(ruling.count, 0);
	assert_int_equal(unlink("rules.cdb"), 0);
	assert_int_equal(rules_find(&rules, &client, &ruling), 0);
	assert_false(ruling.deny);
	rules.optional = false;
	assert_int_equal(rules_find(&rules, &client, &ruling), QE_ABSENT);
	rules_free(&rules, &ruling);
}

/* What is not understood lets nobody in. */
static void
test_damaged_rules(void **state)
{
	static const struct row bad[] = {
		{"10.0.0.1",  { "X", 1 }           },
		{ "10.0.0.2", { "+NAME=value", 11 }}, /* no NUL */
		{ "10.0.0.3", { "+NAME\0", 6 }     },
		{ "10.0.0.4", { "+=value\0", 8 }   },
		{ "10.0.0.5", { "+A=1\0B=2\0", 9 } },
		{ "10.0.0.6", { "D", 1 }           },
		{ "10.0.0.7", { "\0", 1 }          },
	};
	struct rules rules = { .path = "rules.cdb" };
	struct ruling ruling = { 0 };

	(void)state;
	write_rules(bad, sizeof(bad) / sizeof(*bad));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct ipaddr client = address(bad[i].key);

		assert_int_equal(
		    rules_find(&rules, &client, &ruling), QE_CORRUPT);
	}
	rules_free(&rules, &ruling);
	scratch_write("rules.cdb", "no database", 11, 0644);
	assert_int_equal(
	    rules_find(&rules, &(struct ipaddr){ .family = AF_INET }, &ruling),
	    QE_CORRUPT);
	rules_free(&rules, &ruling);
}

static void
test_limits_of_rules(void **state)
{
	static char many[6 * (RULE_VARIABLES_MAX + 1)];
	static char large[RULE_BYTES_MAX + 1];
	struct row limits[] = {
		{"10.0.0.1",  { many, sizeof(many) - 6 }  },
		{ "10.0.0.2", { many, sizeof(many) }      },
		{ "10.0.0.3", { large, sizeof(large) - 1 }},
		{ "10.0.0.4", { large, sizeof(large) }    },
	};
	static const int results[] = { 0, QE_LIMIT, 0, QE_LIMIT };
	struct rules rules = { .path = "rules.cdb" };
	struct ruling ruling = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(many) / 6; i++) {
		char name[2] = { (char)('A' + i / 26), (char)('A' + i % 26) };

		memcpy(many + 6 * i, "+AA=1", 6);
		memcpy(many + 6 * i + 1, name, sizeof(name));
	}
	memset(large, 'x', sizeof(large) - 1);
	memcpy(large, "+A=", 3);
	large[sizeof(large) - 2] = '\0';
	write_rules(limits, sizeof(limits) / sizeof(*limits));
	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
		struct ipaddr client = address(limits[i].key);

		assert_int_equal(
		    rules_find(&rules, &client, &ruling), results[i]);
	}
	rules_free(&rules, &ruling);
}

static void
test_places(void **state)
{
	const struct ipaddr a = address("192.0.2.1"), b = address("192.0.2.2");
	const struct ipaddr net = address("2001:db8:0:1::1");
	const struct ipaddr same = address("2001:db8:0:1:ffff::2");
	const struct ipaddr other = address("2001:db8:0:2::1");
	struct places p;

	(void)state;
	assert_int_equal(places_init(&p, 4), 0);
	places_take(&p, 10, &a);
	places_take(&p, 11, &a);
	places_take(&p, 12, &net);
	places_take(&p, 13, &same);
	assert_int_equal(p.count, p.max);
	assert_int_equal(places_of(&p, &a), 2);
	assert_int_equal(places_of(&p, &b), 0);
	assert_int_equal(places_of(&p, &same), 2);
	assert_int_equal(places_of(&p, &other), 0);
	assert_int_equal(places_of(&p, &(struct ipaddr){ AF_INET6, { 0 } }), 0);
	assert_false(places_leave(&p, 14));
	assert_true(places_leave(&p, 10));
	assert_false(places_leave(&p, 10));
	assert_int_equal(places_of(&p, &a), 1);
	assert_true(places_leave(&p, 13));
	assert_int_equal(places_of(&p, &net), 1);
	assert_int_equal(p.count, 2);
	places_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_rule_of_an_address,
		    scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_variables, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_file_is_taken_up_again, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_damaged_rules, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_limits_of_rules, scratch_enter, scratch_leave),
		cmocka_unit_test(test_places),
	};

	return RUN_TESTS(tests);
}
