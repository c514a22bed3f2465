/* Servers whose TLS did not work, remembered for a while. */
#include "spool/notls.h"

#include "unit.h"

static struct ipaddr
ip_of(const char *text)
{
	struct ipaddr ip;

	assert_int_equal(ipaddr_parse(strv_of(text), &ip), 0);
	return ip;
}

static int
enter(void **state)
{
	static char path[64];

	unit_make_dir(path);
	assert_int_equal(chdir(path), 0);
	*state = path;
	return 0;
}

static int
leave(void **state)
{
	assert_int_equal(chdir("/"), 0);
	unit_remove(*state);
	return 0;
}

static void
test_without_a_directory(void **state)
{
	struct ipaddr ip = ip_of("192.0.2.1");

	(void)state;
	notls_note(&ip, 1000);
	assert_false(notls_has(&ip, 1000));
}

static void
test_remembered_and_forgotten(void **state)
{
	struct ipaddr v4 = ip_of("192.0.2.1"), v6 = ip_of("2001:db8::1");
	struct ipaddr other = ip_of("192.0.2.2");

	(void)state;
	assert_int_equal(mkdir("cache", 0755), 0);
	assert_int_equal(mkdir("cache/remote", 0755), 0);
	assert_false(notls_has(&v4, 1000));
	notls_note(&v4, 1000);
	notls_note(&v6, 2000);
	assert_true(notls_has(&v4, 1000));
	assert_true(notls_has(&v4, 1000 + NOTLS_SECONDS - 1));
	assert_false(notls_has(&v4, 1000 + NOTLS_SECONDS));
	assert_false(notls_has(&v4, 999)); /* the clock was set back */
	assert_true(notls_has(&v6, 2001));
	assert_false(notls_has(&other, 2001));
	notls_note(&v4, 5000);
	assert_true(notls_has(&v4, 5000 + NOTLS_SECONDS - 1));
}

static void
test_bounded(void **state)
{
	struct stat st;
	struct ipaddr ip = ip_of("10.0.0.0"), last = ip;

	(void)state;
	assert_int_equal(mkdir("cache", 0755), 0);
	assert_int_equal(mkdir("cache/remote", 0755), 0);
	for (int i = 0; i < 2 * NOTLS_RECORDS; i++) {
		ip.bytes[2] = (unsigned char)(i >> 8);
		ip.bytes[3] = (unsigned char)(i & 0xff);
		notls_note(&ip, 1000 + i);
	}
	assert_int_equal(stat("cache/remote/notls", &st), 0);
	assert_int_equal(st.st_size, NOTLS_RECORDS * NOTLS_RECORD_BYTES);
	assert_true(notls_has(&ip, 2000));
	assert_false(notls_has(&last, 2000));
}

static void
test_garbage(void **state)
{
	struct ipaddr ip = ip_of("192.0.2.1");
	char junk[9000];

	(void)state;
	memset(junk, 0xff, sizeof(junk));
	assert_int_equal(mkdir("cache", 0755), 0);
	assert_int_equal(mkdir("cache/remote", 0755), 0);
	unit_write("cache/remote/notls", strv_from(junk, sizeof(junk)));
	assert_false(notls_has(&ip, 1000));
	notls_note(&ip, 1000);
	assert_true(notls_has(&ip, 1000));
	unit_write("cache/remote/notls", STRV("short"));
	assert_false(notls_has(&ip, 1000));
	notls_note(&ip, 1000);
	assert_true(notls_has(&ip, 1000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_without_a_directory, enter, leave),
		cmocka_unit_test_setup_teardown(
		    test_remembered_and_forgotten, enter, leave),
		cmocka_unit_test_setup_teardown(test_bounded, enter, leave),
		cmocka_unit_test_setup_teardown(test_garbage, enter, leave),
	};

	return RUN_TESTS(tests);
}
