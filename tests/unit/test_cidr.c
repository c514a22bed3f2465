/* Nets of IP addresses, and control files that list them. */
#include "base/cidr.h"

#include "conf/mfcheck.h"
#include "conf/nets.h"
#include "scratch.h"

static bool
has(const char *net, const char *ip)
{
	struct cidr cidr;
	struct ipaddr address;

	assert_int_equal(cidr_parse(strv_of(net), &cidr), 0);
	assert_int_equal(ipaddr_parse(strv_of(ip), &address), 0);
	return cidr_has(&cidr, &address);
}

static void
test_has(void **state)
{
	(void)state;
	assert_true(has("192.0.2.1", "192.0.2.1"));
	assert_false(has("192.0.2.1", "192.0.2.0"));
	assert_true(has("192.0.2.0/24", "192.0.2.255"));
	assert_false(has("192.0.2.0/24", "192.0.3.0"));
	assert_true(has("192.0.2.130/25", "192.0.2.128"));
	assert_false(has("192.0.2.128/25", "192.0.2.127"));
	assert_true(has("10.0.0.0/9", "10.127.255.255"));
	assert_false(has("10.0.0.0/9", "10.128.0.0"));
	assert_true(has("0.0.0.0/0", "255.255.255.255"));
	assert_false(has("0.0.0.0/0", "::1"));
	assert_false(has("::/0", "0.0.0.0"));
	assert_true(has("::/0", "2001:db8::1"));
	assert_true(has("2001:db8::/32", "2001:db8:ffff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(has("2001:db8::1/128", "2001:db8::1"));
	assert_false(has("2001:db8::1/127", "2001:db8::2"));
	assert_true(has("::1", "::1"));
}

static void
test_mapped_is_ipv4(void **state)
{
	(void)state;
	assert_true(has("::ffff:10.0.0.0/104", "10.1.2.3"));
	assert_true(has("10.0.0.0/8", "::ffff:10.1.2.3"));
	assert_true(has("::ffff:0:0/96", "192.0.2.1"));
	assert_true(has("::ffff:192.0.2.1", "192.0.2.1"));
}

static void
test_refuses(void **state)
{
	static const char *const bad[] = { "", "/", "/8", "10.0.0.0/",
		"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8",
		"10.0.0.0 /8", "10.0.0.0/ 8", "10.0.0.0/8x", "10/8", "::/129",
		"::ffff:10.0.0.0/95", "host", "10.0.0.0/18446744073709551624" };
	struct cidr net;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cidr_parse(strv_of(bad[i]), &net), QE_SYNTAX);
	assert_int_equal(cidr_parse(STRV("10.0.0.0/8\0"), &net), QE_SYNTAX);
}

/* Whatever parses holds its own address, and random bytes do no harm. */
static void
test_random(void **state)
{
	static const char alphabet[] = "0123456789abcdef:./[]fF x";
	uint32_t random = 1;
	char text[24];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t len = unit_random(&random) % sizeof(text);
		struct cidr net;

		for (size_t j = 0; j < len; j++)
			text[j] = alphabet[unit_random(&random) %
					   (sizeof(alphabet) - 1)];
		if (cidr_parse(strv_from(text, len), &net) == 0)
			assert_true(cidr_has(&net, &net.ip));
	}
}

static void
test_nets(void **state)
{
	struct control_error err = { .text = "" };
	struct nets nets = { .items = NULL };
	struct ipaddr ip;

	(void)state;
	assert_int_equal(nets_load(CTL_MXBLACKLIST, &nets, &err), 0);
	assert_int_equal(nets.count, 0);
	unit_write("control/mxblacklist",
	    STRV("# none\n127.0.0.0/8 \n\n 10.0.0.0/8\n::1"));
	assert_int_equal(nets_load(CTL_MXBLACKLIST, &nets, &err), 0);
	assert_int_equal(nets.count, 3);
	assert_int_equal(ipaddr_parse(STRV("10.255.0.1"), &ip), 0);
	assert_true(nets_have(&nets, &ip));
	assert_int_equal(ipaddr_parse(STRV("::2"), &ip), 0);
	assert_false(nets_have(&nets, &ip));
	/* A failure leaves what was there. */
	unit_write("control/mxblacklist", STRV("::1\n# x\n10.0.0.0/99\n"));
	assert_int_equal(nets_load(CTL_MXBLACKLIST, &nets, &err), QE_SYNTAX);
	assert_string_equal(err.text,
	    "control/mxblacklist line 3: no IP address and no net like "
	    "192.0.2.0/24");
	assert_int_equal(nets.count, 3);
	nets_free(&nets);
	assert_int_equal(nets.count, 0);
}

static void
expect_times(const char *text, int64_t accepted, int64_t other)
{
	struct control_error err = { .text = "" };
	struct mfcheck_times times = { -1, -1 };

	unlink("control/mfchecktime");
	if (text != NULL)
		unit_write("control/mfchecktime", strv_of(text));
	if (accepted < 0) {
		assert_int_not_equal(mfcheck_times_load(&times, &err), 0);
		assert_non_null(strstr(err.text, "control/mfchecktime line 1"));
		return;
	}
	assert_int_equal(mfcheck_times_load(&times, &err), 0);
	assert_int_equal(times.accepted, accepted);
	assert_int_equal(times.other, other);
}

static void
test_times(void **state)
{
	(void)state;
	expect_times(NULL, 3600, 600);
	expect_times("", 3600, 600);
	expect_times("# later\n", 3600, 600);
	expect_times("7200\n", 7200, 600);
	expect_times("60", 60, 60);
	expect_times("0\n", 0, 0);
	expect_times("3600 900\n", 3600, 900);
	expect_times("3600:900 # seconds\n", 3600, 900);
	expect_times(" 1\t 2 \nrest\n", 1, 2);
	expect_times("2592000 2592000\n", 2592000, 2592000);
	expect_times("2592001\n", -1, 0);
	expect_times("1 2592001\n", -1, 0);
	expect_times("1 2 3\n", -1, 0);
	expect_times("-1\n", -1, 0);
	expect_times("1h\n", -1, 0);
	expect_times("1::2\n", -1, 0);
	expect_times("soon\n", -1, 0);
}

static bool
is_public(const char *text)
{
	struct ipaddr ip;

	assert_int_equal(ipaddr_parse(strv_of(text), &ip), 0);
	return ipaddr_is_public(&ip);
}

static void
test_public(void **state)
{
	static const char *const inside[] = { "0.0.0.0", "0.1.2.3", "10.0.0.1",
		"100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.168.1.1", "224.0.0.1",
		"255.255.255.255", "::", "::1", "::ffff:10.0.0.1", "fc00::1",
		"fdff::1", "fe80::1", "fec0::1", "ff02::1", "64:ff9b::a00:1",
		"2002:7f00:1::1" };
	static const char *const outside[] = { "1.1.1.1", "9.255.255.255",
		"100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
		"192.0.2.1", "193.168.0.1", "223.255.255.255", "2001:db8::1",
		"64:ff9b::c000:201", "2002:c000:201::1", "::ffff:192.0.2.1" };

	(void)state;
	for (size_t i = 0; i < sizeof(inside) / sizeof(*inside); i++)
		if (is_public(inside[i]))
			fail_msg("%s is taken for public", inside[i]);
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++)
		if (!is_public(outside[i]))
			fail_msg("%s is not taken for public", outside[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_mapped_is_ipv4),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_public),
		cmocka_unit_test_setup_teardown(
		    test_nets, scratch_enter_control, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_times, scratch_enter_control, scratch_leave),
	};

	return RUN_TESTS(tests);
}
