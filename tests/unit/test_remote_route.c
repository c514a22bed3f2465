/* Routing with names that only exist here. */
#include "remote/route.h"

#include "unit.h"

struct fake_mx {
	const char *host;
	unsigned preference;
	const char *name;
};

struct fake_address {
	const char *name; /* with text NULL: temporary trouble */
	const char *text;
};

static const struct fake_mx all_mx[] = {
	{"plain.example",    20, "b.example"      },
	{ "plain.example",   10, "a.example"      },
	{ "plain.example",   30, "six.example"    },
	{ "self.example",    10, "own.example"    },
	{ "self.example",    20, "a.example"      },
	{ "backup.example",  10, "a.example"      },
	{ "backup.example",  20, "b.example"      },
	{ "backup.example",  20, "own.example"    },
	{ "backup.example",  30, "c.example"      },
	{ "null.example",    0,  ""               },
	{ "mixed.example",   0,  ""               },
	{ "mixed.example",   5,  "a.example"      },
	{ "shaky.example",   10, "trouble.example"},
	{ "shaky.example",   20, "a.example"      },
	{ "down.example",    10, "trouble.example"},
	{ "empty.example",   10, "gone.example"   },
	{ "literal.example", 10, "192.0.2.1"      },
	{ "badname.example", 10, "a\\.b"          },
};

static const struct fake_address all_addresses[] = {
	{"a.example",        "192.0.2.1"  },
	{ "a.example",       "192.0.2.11" },
	{ "b.example",       "192.0.2.2"  },
	{ "b.example",       "2001:db8::2"},
	{ "c.example",       "192.0.2.3"  },
	{ "six.example",     "2001:db8::6"},
	{ "own.example",     "192.0.2.99" },
	{ "loop.example",    "127.45.6.7" },
	{ "trouble.example", NULL         },
	{ "badmx.example",   "192.0.2.4"  },
	{ "bare.example",    "192.0.2.5"  },
};

struct fake {
	const char *own_v6; /* or NULL */
	int questions;
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
fake_mx(
    void *state, struct strv name, struct dns_mx out[DNS_MX_MAX], size_t *count)
{
	struct fake *fake = state;

	fake->questions++;
	*count = 0;
	if (strv_eq(name, STRV("badmx.example")))
		return QE_TEMP;
	if (name.len == 0 || strv_find(name, ' ') != STRV_NPOS)
		return QE_SYNTAX;
	for (size_t i = 0; i < COUNT(all_mx); i++) {
		if (!strv_eq(name, strv_of(all_mx[i].host)))
			continue;
		out[*count].preference = all_mx[i].preference;
		snprintf(out[*count].name, sizeof(out[0].name), "%s",
		    all_mx[i].name);
		(*count)++;
	}
	return *count > 0 ? 0 : QE_ABSENT;
}

static int
fake_addresses(
    void *state, struct strv name, int family, struct ipaddr_list *out)
{
	struct fake *fake = state;
	bool known = false;
	size_t before = out->count;

	fake->questions++;
	for (size_t i = 0; i < COUNT(all_addresses); i++) {
		const struct fake_address *a = &all_addresses[i];
		struct ipaddr ip;

		if (!strv_eq(name, strv_of(a->name)))
			continue;
		known = true;
		if (a->text == NULL)
			return QE_TEMP;
		assert_int_equal(ipaddr_parse(strv_of(a->text), &ip), 0);
		if (ip.family == family)
			assert_int_equal(ipaddr_list_add(out, &ip), 0);
	}
	if (out->count > before)
		return 0;
	return known ? QE_ABSENT : QE_DENIED;
}

static int
fake_own(void *state, struct ipaddr_list *out)
{
	struct fake *fake = state;
	struct ipaddr ip;

	assert_int_equal(ipaddr_parse(STRV("192.0.2.99"), &ip), 0);
	assert_int_equal(ipaddr_list_add(out, &ip), 0);
	if (fake->own_v6 == NULL)
		return 0;
	assert_int_equal(ipaddr_parse(strv_of(fake->own_v6), &ip), 0);
	return ipaddr_list_add(out, &ip);
}

/* The targets as "ip:port ip:port ", or the reason why there is none. */
static void
assert_route(const char *smtproutes, const char *own_v6, const char *host,
    const char *want, int questions)
{
	struct fake fake = { .own_v6 = own_v6 };
	struct names names = { .state = &fake,
		.mx = fake_mx,
		.addresses = fake_addresses,
		.own = fake_own };
	struct config config = { .log_fd = 0 };
	struct control_error err;
	struct target target;
	struct route *route;
	struct plan plan;
	struct buf got = BUF_INIT;

	assert_int_equal(control_set_parse(strv_of(smtproutes), CT_MAP,
			     "smtproutes", &config.smtproutes, &err),
	    0);
	assert_int_equal(plan_make(&config, strv_of(host), STRV("s@x.example"),
			     STRV("r@y.example"), &plan, &err),
	    0);
	assert_int_equal(route_open(&plan, &names, &route), 0);
	while (route_next(route, &target) == 0) {
		char text[IPADDR_TEXT_MAX];

		ipaddr_format(&target.ip, text);
		buf_addf(&got, "%s:%u ", text, target.port);
	}
	if (got.len == 0)
		buf_addf(&got, "%d", (int)route_why(route));
	if (strcmp(want, buf_cstr(&got)) != 0 ||
	    (questions >= 0 && questions != fake.questions))
		print_error("%s: %s, %d questions\n", host, buf_cstr(&got),
		    fake.questions);
	assert_string_equal(buf_cstr(&got), want);
	if (questions >= 0)
		assert_int_equal(fake.questions, questions);
	buf_free(&got);
	route_free(&route);
	config_free(&config);
}

static void
assert_no_route(const char *smtproutes, const char *host, enum route_end why)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)why);
	assert_route(smtproutes, NULL, host, text, -1);
}

static void
test_preferences(void **state)
{
	(void)state;
	assert_route("", NULL, "plain.example",
	    "192.0.2.1:25 192.0.2.11:25 192.0.2.2:25 2001:db8::6:25 ", 5);
	assert_route("", "2001:db8::99", "plain.example",
	    "192.0.2.1:25 192.0.2.11:25 192.0.2.2:25 2001:db8::2:25 "
	    "2001:db8::6:25 ",
	    7);
	assert_route("", NULL, "bare.example", "192.0.2.5:25 ", 2);
}

static void
test_only_what_is_used_is_asked(void **state)
{
	struct fake fake = { .own_v6 = NULL };
	struct names names = { .state = &fake,
		.mx = fake_mx,
		.addresses = fake_addresses,
		.own = fake_own };
	struct plan plan = { .name = STRV("plain.example"), .port = 25 };
	struct target target;
	struct route *route;

	(void)state;
	assert_int_equal(route_open(&plan, &names, &route), 0);
	assert_int_equal(route_next(route, &target), 0);
	assert_int_equal(route_next(route, &target), 0);
	assert_int_equal(fake.questions, 2);
	route_free(&route);
}

static void
test_own_address_cuts(void **state)
{
	(void)state;
	assert_no_route("", "self.example", ROUTE_SELF);
	assert_no_route("", "own.example", ROUTE_SELF);
	assert_no_route("", "loop.example", ROUTE_SELF);
	assert_no_route("", "[192.0.2.99]", ROUTE_SELF);
	assert_no_route("", "127.0.0.2", ROUTE_SELF);
	assert_route(
	    "", NULL, "backup.example", "192.0.2.1:25 192.0.2.11:25 ", -1);
	assert_route("", "2001:db8::6", "plain.example",
	    "192.0.2.1:25 192.0.2.11:25 192.0.2.2:25 2001:db8::2:25 ", -1);
}

static void
test_why_there_is_none(void **state)
{
	(void)state;
	assert_no_route("", "null.example", ROUTE_NULL_MX);
	assert_no_route("", "badmx.example", ROUTE_TEMPORARY);
	assert_no_route("", "down.example", ROUTE_TEMPORARY);
	assert_no_route("", "trouble.example", ROUTE_TEMPORARY);
	assert_no_route("", "empty.example", ROUTE_NO_ADDRESS);
	assert_no_route("", "literal.example", ROUTE_NO_ADDRESS);
	assert_no_route("", "badname.example", ROUTE_NO_ADDRESS);
	assert_no_route("", "gone.example", ROUTE_NO_HOST);
	assert_no_route("", "", ROUTE_NO_HOST);
	assert_no_route("", "a b", ROUTE_NO_HOST);
}

static void
test_unusable_exchangers_hide_no_others(void **state)
{
	(void)state;
	assert_route(
	    "", NULL, "shaky.example", "192.0.2.1:25 192.0.2.11:25 ", -1);
	assert_route(
	    "", NULL, "mixed.example", "192.0.2.1:25 192.0.2.11:25 ", -1);
}

static void
test_literals(void **state)
{
	(void)state;
	assert_route("", NULL, "[192.0.2.7]", "192.0.2.7:25 ", 0);
	assert_route("", NULL, "192.0.2.7", "192.0.2.7:25 ", 0);
	assert_route("", NULL, "[IPv6:2001:db8::7]", "2001:db8::7:25 ", 0);
}

static void
test_smtproutes(void **state)
{
	static const char routes[] = "plain.example:192.0.2.50:2525\n"
				     ".sub.example:[2001:db8::50]:26\n"
				     "six.test:2001:db8::51\n"
				     "seven.test:[2001:db8::51]\n"
				     "self.example:\n"
				     "own.test:127.0.0.1:27\n"
				     "named.test: b.example:28 \n"
				     "gone.test:gone.example\n"
				     ":192.0.2.60\n";

	(void)state;
	assert_route(routes, NULL, "PLAIN.example", "192.0.2.50:2525 ", 0);
	assert_route(routes, NULL, "a.sub.example", "2001:db8::50:26 ", 0);
	assert_route(routes, NULL, "sub.example", "192.0.2.60:25 ", 0);
	assert_route(routes, NULL, "six.test", "2001:db8::51:25 ", 0);
	assert_route(routes, NULL, "seven.test", "2001:db8::51:25 ", 0);
	assert_route(routes, NULL, "own.test", "127.0.0.1:27 ", 0);
	assert_route(routes, NULL, "named.test", "192.0.2.2:28 ", 1);
	assert_route(routes, NULL, "[192.0.2.99]", "192.0.2.60:25 ", 0);
	assert_no_route(routes, "self.example", ROUTE_SELF);
	assert_no_route(routes, "gone.test", ROUTE_NO_HOST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preferences),
		cmocka_unit_test(test_only_what_is_used_is_asked),
		cmocka_unit_test(test_own_address_cuts),
		cmocka_unit_test(test_why_there_is_none),
		cmocka_unit_test(test_unusable_exchangers_hide_no_others),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_smtproutes),
	};

	return RUN_TESTS(tests);
}
