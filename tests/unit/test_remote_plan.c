/* Which relay, protocol, login and own address a message gets. */
#include "remote/plan.h"

#include "unit.h"

struct files {
	const char *smtprelays, *smtproutes, *qmtproutes, *outgoingip;
};

static void
parse(const char *text, enum control_kind kind, struct control_set *out)
{
	struct control_error err;

	assert_int_equal(control_set_parse(strv_of(text == NULL ? "" : text),
			     kind, "test", out, &err),
	    0);
}

static void
load(const struct files *files, struct config *config)
{
	memset(config, 0, sizeof(*config));
	parse(files->smtprelays, CT_MAP, &config->smtprelays);
	parse(files->smtproutes, CT_MAP, &config->smtproutes);
	parse(files->qmtproutes, CT_MAP, &config->qmtproutes);
	parse(files->outgoingip, CT_LIST, &config->outgoingip);
}

/*
 * "smtp name:port", "mx name" or "qmtp name:port", and " user/password/method"
 * if there is a login; else the error.
 */
static void
assert_plan(const struct files *files, const char *sender,
    const char *recipient, const char *want)
{
	struct config config;
	struct control_error err = { .text = "" };
	struct plan plan;
	struct buf got = BUF_INIT;
	struct strv host = strv_of(recipient);

	load(files, &config);
	host = strv_skip(host, strv_rfind(host, '@') + 1);
	if (plan_make(&config, host, strv_of(sender), strv_of(recipient), &plan,
		&err) < 0) {
		buf_add_str(&got, err.text);
	} else {
		buf_add_str(&got, plan.protocol == PLAN_QMTP ? "qmtp "
				  : plan.relayed             ? "smtp "
							     : "mx ");
		buf_add_view(&got, plan.name);
		if (plan.relayed)
			buf_addf(&got, ":%u", plan.port);
		if (plan.user.len > 0)
			buf_addf(&got, " %.*s/%.*s/%.*s", STRV_ARG(plan.user),
			    STRV_ARG(plan.password), STRV_ARG(plan.method));
	}
	assert_string_equal(buf_cstr(&got), want);
	buf_free(&got);
	config_free(&config);
}

static void
test_final_dot_is_no_way_around(void **state)
{
	static const struct files files = {
		.smtprelays = "a.example:relay.example|u|p|\n",
		.smtproutes = ".b.example:two.example\n",
	};

	(void)state;
	assert_plan(
	    &files, "s@x", "r@A.example.", "smtp relay.example:25 u/p/");
	assert_plan(&files, "s@x", "r@c.b.example.", "smtp two.example:25");
	assert_plan(&files, "s@x", "r@d.example.", "mx d.example");
	assert_plan(&files, "s@x", "r@.", "mx .");
}

static void
test_order_of_files(void **state)
{
	static const struct files files = {
		.smtprelays = "a.example:one.example\nb.example:relay4\n"
			      "none.example:\nself.example:\n",
		.smtproutes = "a.example:two.example\nc.example:two.example\n"
			      "relay4:mx4.example:26\nself.example:\n"
			      ":default.example\n",
		.qmtproutes =
		    "c.example:three.example\nd.example:three.example\n"
		    "two.example:q.example\none.example:q1.example:2209\n"
		    ":qdefault.example\n",
	};

	(void)state;
	assert_plan(&files, "s@x", "r@a.example", "qmtp q1.example:2209");
	assert_plan(&files, "s@x", "r@b.example", "smtp mx4.example:26");
	assert_plan(&files, "s@x", "r@c.example", "qmtp q.example:209");
	assert_plan(&files, "s@x", "r@d.example", "smtp default.example:25");
	assert_plan(&files, "s@x", "r@none.example", "smtp default.example:25");
	assert_plan(&files, "s@x", "r@self.example", "mx self.example");
}

static void
test_defaults_do_not_catch_relays(void **state)
{
	static const struct files files = {
		.smtprelays = "a.example:relay.example|u|p|\n",
		.smtproutes = ":default.example\n",
		.qmtproutes = ":q.example\n",
	};
	static const struct files only_qmtp = { .qmtproutes = ":q.example\n" };
	static const struct files nothing = { .smtproutes = NULL };

	(void)state;
	assert_plan(&files, "s@x", "r@a.example", "smtp relay.example:25 u/p/");
	assert_plan(&files, "s@x", "r@b.example", "smtp default.example:25");
	assert_plan(&only_qmtp, "s@x", "r@b.example", "qmtp q.example:209");
	assert_plan(&nothing, "s@x", "r@b.example", "mx b.example");
}

static void
test_keys(void **state)
{
	static const struct files files = {
		.smtprelays = "r@a.example:1\na.example:2\n.example:3\n"
			      "<s@x.test>:4\n<@x.test>:5\n<@.test>:6\n"
			      "<>:7\n:8\n",
	};

	(void)state;
	assert_plan(&files, "s@x.test", "R@A.example", "smtp 1:25");
	assert_plan(&files, "s@x.test", "q@a.example", "smtp 2:25");
	assert_plan(&files, "s@x.test", "q@b.a.example", "smtp 3:25");
	assert_plan(&files, "S@X.test", "q@other", "smtp 4:25");
	assert_plan(&files, "t@x.test", "q@other", "smtp 5:25");
	assert_plan(&files, "t@y.x.test", "q@other", "smtp 6:25");
	assert_plan(&files, "", "q@other", "smtp 7:25");
	assert_plan(&files, "t@elsewhere", "q@other", "smtp 8:25");
	assert_plan(&files, "test", "q@other", "smtp 8:25");
}

static void
test_logins(void **state)
{
	static const struct files files = {
		.smtprelays = "a:r:587|u|p|\nb:r|u@d|p|CRAM-MD5\n"
			      "c:r|u|p|q|plain\nd:r|u|p\ne:r||| \n"
			      "f:[2001:db8::1]:587|u|p|\ng:r|u|p|digest-md5\n"
			      "h:r||p|\ni:r|u||\nj:r:0|u|p|\n"
			      "k:virtual|u|p|login\nl:q|u|p|\n",
		.smtproutes = "virtual:real.example:587\n",
		.qmtproutes = "q:q.example\n",
	};

	(void)state;
	assert_plan(&files, "s@x", "r@a", "smtp r:587 u/p/");
	assert_plan(&files, "s@x", "r@b", "smtp r:25 u@d/p/CRAM-MD5");
	assert_plan(&files, "s@x", "r@c", "smtp r:25 u/p|q/plain");
	assert_plan(&files, "s@x", "r@d", "smtp r:25 u/p/");
	assert_plan(&files, "s@x", "r@e", "smtp r:25");
	assert_plan(&files, "s@x", "r@f", "smtp [2001:db8::1]:587 u/p/");
	assert_plan(&files, "s@x", "r@k", "smtp real.example:587 u/p/login");
	assert_plan(&files, "s@x", "r@g",
	    "control/smtprelays line 7: no such method; plain login cram-md5 "
	    "cram-sha1 cram-ripemd scram-sha-256 are known");
	assert_plan(&files, "s@x", "r@h",
	    "control/smtprelays line 8: a password without a user");
	assert_plan(&files, "s@x", "r@i",
	    "control/smtprelays line 9: a user without a password");
	assert_plan(&files, "s@x", "r@j",
	    "control/smtprelays line 10: no relay or no port");
	assert_plan(&files, "s@x", "r@l",
	    "control/qmtproutes line 1: QMTP knows no passwords, and "
	    "smtprelays has one for this relay");
}

static void
test_broken_routes(void **state)
{
	static const struct files files = {
		.smtproutes = "a:r:0\nb:r:x\nc::25\nd:r:65536\n",
		.qmtproutes = "e:r:x\n",
	};

	(void)state;
	assert_plan(&files, "s@x", "r@a",
	    "control/smtproutes line 1: no relay or no port");
	assert_plan(&files, "s@x", "r@b",
	    "control/smtproutes line 2: no relay or no port");
	assert_plan(&files, "s@x", "r@c",
	    "control/smtproutes line 3: no relay or no port");
	assert_plan(&files, "s@x", "r@d",
	    "control/smtproutes line 4: no relay or no port");
	assert_plan(&files, "s@x", "r@e",
	    "control/qmtproutes line 1: no relay or no port");
}

/* The own addresses for a sender: "IPv4 IPv6", "-" for none. */
static void
assert_sources(const char *lines, const char *sender, const char *want)
{
	struct files files = { .outgoingip = lines };
	struct config config;
	struct control_error err = { .text = "" };
	struct plan plan;
	char got[2 * IPADDR_TEXT_MAX + 2], text[2][IPADDR_TEXT_MAX];

	load(&files, &config);
	memcpy(text[0], "-", 2);
	memcpy(text[1], "-", 2);
	if (plan_make(&config, STRV("h"), strv_of(sender), STRV("r@h"), &plan,
		&err) < 0) {
		snprintf(got, sizeof(got), "%s", err.text);
	} else {
		if (plan.from4.family != 0)
			ipaddr_format(&plan.from4, text[0]);
		if (plan.from6.family != 0)
			ipaddr_format(&plan.from6, text[1]);
		snprintf(got, sizeof(got), "%s %s", text[0], text[1]);
	}
	assert_string_equal(got, want);
	config_free(&config);
}

static void
test_outgoingip(void **state)
{
	static const char lines[] = "192.0.2.1\n2001:db8::1\n"
				    "a.example:192.0.2.2\n"
				    "a.example:2001:db8::2\n"
				    ".b.example:192.0.2.3\n"
				    "c.example:[2001:db8::4]\n"
				    "d.example:0.0.0.0\n";

	(void)state;
	assert_sources("", "s@a.example", "- -");
	assert_sources(lines, "", "192.0.2.1 2001:db8::1");
	assert_sources(lines, "s@z.example", "192.0.2.1 2001:db8::1");
	assert_sources(lines, "s@A.example", "192.0.2.2 2001:db8::2");
	assert_sources(lines, "s@x.b.example", "192.0.2.3 2001:db8::1");
	assert_sources(lines, "s@b.example", "192.0.2.1 2001:db8::1");
	assert_sources(lines, "s@c.example", "192.0.2.1 2001:db8::4");
	assert_sources(lines, "s@d.example", "0.0.0.0 2001:db8::1");
	assert_sources("x\n", "s@x", "control/outgoingip line 1: no address");
	assert_sources("a:1.2.3\n", "s@b", "- -");
	assert_sources(
	    "a:1.2.3\n", "s@a", "control/outgoingip line 1: no address");
}

static void
test_what_depends_on_the_recipient(void **state)
{
	static const struct files files = { .smtprelays = "a:r\n<s@a>:r\n",
		.smtproutes = "x@a:r\n",
		.qmtproutes = "y@a:r\n" };
	struct config config;

	(void)state;
	load(&files, &config);
	assert_true(plan_is_for_recipient(&config, STRV("X@A")));
	assert_true(plan_is_for_recipient(&config, STRV("y@a")));
	assert_false(plan_is_for_recipient(&config, STRV("z@a")));
	assert_false(plan_is_for_recipient(&config, STRV("<s@a>x")));
	assert_false(plan_is_for_recipient(&config, STRV("a")));
	config_free(&config);
}

static void
test_sessions_are_told_apart(void **state)
{
	static const struct files files = {
		.smtprelays = "a:r|u|p|\nb:r|v|p|\nc:r\nd:R\ne:r:26\n"
	};
	static const char *const hosts[] = { "a", "b", "c", "d", "e", "f" };
	struct config config;
	struct control_error err;
	struct buf keys[6];
	struct plan plan;

	(void)state;
	load(&files, &config);
	for (int i = 0; i < 6; i++) {
		keys[i] = (struct buf)BUF_INIT;
		assert_int_equal(plan_make(&config, strv_of(hosts[i]),
				     STRV_EMPTY, STRV_EMPTY, &plan, &err),
		    0);
		plan_add_key(&plan, &keys[i]);
	}
	for (int i = 0; i < 6; i++)
		for (int j = 0; j < i; j++)
			assert_int_equal(
			    strv_eq(buf_view(&keys[i]), buf_view(&keys[j])),
			    i == 3 && j == 2);
	for (int i = 0; i < 6; i++)
		buf_free(&keys[i]);
	config_free(&config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_final_dot_is_no_way_around),
		cmocka_unit_test(test_order_of_files),
		cmocka_unit_test(test_defaults_do_not_catch_relays),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_logins),
		cmocka_unit_test(test_broken_routes),
		cmocka_unit_test(test_outgoingip),
		cmocka_unit_test(test_what_depends_on_the_recipient),
		cmocka_unit_test(test_sessions_are_told_apart),
	};

	return RUN_TESTS(tests);
}
