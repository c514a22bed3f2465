/* IP addresses as text, bytes and sets. */
#include "base/net.h"

#include "unit.h"

#include <arpa/inet.h>

static void
assert_ip(const char *text, const char *want)
{
	struct ipaddr ip;
	char back[IPADDR_TEXT_MAX];

	assert_int_equal(ipaddr_parse(strv_of(text), &ip), 0);
	ipaddr_format(&ip, back);
	assert_string_equal(back, want);
}

static void
test_parse(void **state)
{
	(void)state;
	assert_ip("192.0.2.1", "192.0.2.1");
	assert_ip("[192.0.2.1]", "192.0.2.1");
	assert_ip("2001:DB8:0::1", "2001:db8::1");
	assert_ip("[::1]", "::1");
	assert_ip("[IPv6:2001:db8::1]", "2001:db8::1");
	assert_ip("[ipv6:::]", "::");
	assert_ip("::ffff:192.0.2.1", "192.0.2.1");
	assert_ip("[IPv6:::ffff:10.0.0.1]", "10.0.0.1");
}

static void
test_parse_refuses(void **state)
{
	static const char *const bad[] = { "", "[]", "[", "1.2.3", "1.2.3.4.5",
		"1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "[1.2.3.4",
		"1.2.3.4]", "[[1.2.3.4]]", "IPv6:::1", "[IPv6:1.2.3.4]",
		"[IPv6:]", ":::", "1:2:3:4:5:6:7:8:9", "fe80::1%lo",
		"2001:db8::1/64", "host",
		"00000000000000000000000000000000000000000000000000:1" };
	struct ipaddr ip;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ipaddr_parse(strv_of(bad[i]), &ip), QE_SYNTAX);
	assert_int_equal(ipaddr_parse(STRV("1.2.3.4\0x"), &ip), QE_SYNTAX);
}

static void
test_compare(void **state)
{
	struct ipaddr a, b;

	(void)state;
	assert_int_equal(ipaddr_parse(STRV("0.0.0.0"), &a), 0);
	assert_int_equal(ipaddr_parse(STRV("::"), &b), 0);
	assert_true(ipaddr_is_any(&a));
	assert_true(ipaddr_is_any(&b));
	assert_false(ipaddr_eq(&a, &b));
	assert_int_equal(ipaddr_parse(STRV("::1"), &b), 0);
	assert_false(ipaddr_is_any(&b));
	assert_true(ipaddr_eq(&b, &b));
}

static void
test_list(void **state)
{
	struct ipaddr_list list = { NULL, 0, 0 };
	struct ipaddr ip;

	(void)state;
	assert_int_equal(ipaddr_parse(STRV("10.0.0.0"), &ip), 0);
	for (unsigned i = 0; i < 100; i++) {
		ip.bytes[3] = (unsigned char)i;
		assert_false(ipaddr_list_has(&list, &ip));
		assert_int_equal(ipaddr_list_add(&list, &ip), 0);
		assert_true(ipaddr_list_has(&list, &ip));
	}
	assert_int_equal(list.count, 100);
	ipaddr_list_free(&list);
	assert_int_equal(list.count, 0);
}

static void
test_own_has_the_unspecified(void **state)
{
	struct ipaddr_list list = { NULL, 0, 0 };
	struct ipaddr ip;

	(void)state;
	assert_int_equal(ipaddr_list_own(&list), 0);
	assert_int_equal(ipaddr_parse(STRV("0.0.0.0"), &ip), 0);
	assert_true(ipaddr_list_has(&list, &ip));
	assert_int_equal(ipaddr_parse(STRV("::"), &ip), 0);
	assert_true(ipaddr_list_has(&list, &ip));
	ipaddr_list_free(&list);
}

static void
test_sockaddr(void **state)
{
	struct sockaddr_storage storage;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct ipaddr ip;

	(void)state;
	assert_int_equal(ipaddr_parse(STRV("192.0.2.1"), &ip), 0);
	assert_int_equal(net_sockaddr(&ip, 25, &storage), sizeof(v4));
	memcpy(&v4, &storage, sizeof(v4));
	assert_int_equal(v4.sin_family, AF_INET);
	assert_int_equal(ntohs(v4.sin_port), 25);
	assert_int_equal(ntohl(v4.sin_addr.s_addr), 0xc0000201);
	assert_int_equal(ipaddr_parse(STRV("::1"), &ip), 0);
	assert_int_equal(net_sockaddr(&ip, 26, &storage), sizeof(v6));
	memcpy(&v6, &storage, sizeof(v6));
	assert_int_equal(v6.sin6_family, AF_INET6);
	assert_int_equal(ntohs(v6.sin6_port), 26);
}

static void
test_from_sockaddr(void **state)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::1" };
	struct sockaddr_storage storage;
	const struct sockaddr *sa = (const struct sockaddr *)&storage;
	struct ipaddr ip, back;
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(ipaddr_parse(strv_of(texts[i]), &ip), 0);
		(void)net_sockaddr(&ip, 4711, &storage);
		port = 0;
		assert_true(net_from_sockaddr(sa, &back, &port));
		assert_true(ipaddr_eq(&ip, &back));
		assert_int_equal(port, 4711);
		assert_true(net_from_sockaddr(sa, &back, NULL));
	}
	storage.ss_family = AF_UNIX;
	assert_false(net_from_sockaddr(sa, &back, &port));
	assert_false(net_from_sockaddr(NULL, &back, &port));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_own_has_the_unspecified),
		cmocka_unit_test(test_sockaddr),
		cmocka_unit_test(test_from_sockaddr),
	};

	return RUN_TESTS(tests);
}
