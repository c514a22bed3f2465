/* What servers offer in their answer to EHLO. */
#include "smtp/ehlo.h"

#include "unit.h"

static void
assert_ehlo(
    const char *reply, unsigned extensions, uint64_t limit, const char *auth)
{
	struct ehlo e;

	ehlo_init(&e);
	ehlo_parse(&e, strv_of(reply));
	assert_int_equal(e.extensions, extensions);
	assert_int_equal(e.size_limit, limit);
	assert_same(buf_view(&e.auth), strv_of(auth));
	ehlo_free(&e);
}

static void
test_extensions(void **state)
{
	(void)state;
	assert_ehlo("250 x\n", 0, 0, "");
	assert_ehlo("", 0, 0, "");
	assert_ehlo("250-PIPELINING\n250 x\n", 0, 0, ""); /* its name */
	assert_ehlo("250-x\n250-PIPELINING\n250-SIZE 1000\n250-8BITMIME\n"
		    "250-STARTTLS\n250-AUTH PLAIN LOGIN\n250 HELP\n",
	    31, 1000, " PLAIN LOGIN");
	assert_ehlo("250-x\n250-pipelining\n250 Size\n", 3, 0, "");
	assert_ehlo("250-x\n250-AUTH=LOGIN\n250 AUTH  CRAM-MD5 \n", EHLO_AUTH,
	    0, " CRAM-MD5");
	assert_ehlo("250-x\n250-AUTH A\n250 AUTH B\n", EHLO_AUTH, 0, " A B");
}

static void
test_sizes(void **state)
{
	(void)state;
	assert_ehlo("250-x\n250 SIZE 0\n", EHLO_SIZE, 0, "");
	assert_ehlo("250-x\n250 SIZE -1\n", EHLO_SIZE, 0, "");
	assert_ehlo("250-x\n250 SIZE 1k\n", EHLO_SIZE, 0, "");
	assert_ehlo("250-x\n250 SIZE 99999999999999999999\n", EHLO_SIZE, 0, "");
	assert_ehlo("250-x\n250 SIZE  7 \n", EHLO_SIZE, 7, "");
}

static void
test_odd_lines(void **state)
{
	(void)state;
	assert_ehlo("250-x\n250\n25\n\n250-\n250 \n", 0, 0, "");
	assert_ehlo("250-x\n250 PIPELININGS\n", 0, 0, "");
	assert_ehlo("250-x\n250 XSTARTTLS\n", 0, 0, "");
}

static void
test_methods_without_end(void **state)
{
	struct buf reply = BUF_INIT;
	struct ehlo e;

	(void)state;
	buf_add_str(&reply, "250-x\n");
	for (int i = 0; i < 500; i++)
		buf_addf(&reply, "250-AUTH METHOD-%d\n", i);
	ehlo_init(&e);
	ehlo_parse(&e, buf_view(&reply));
	assert_true(e.auth.len <= EHLO_AUTH_MAX);
	assert_true(strv_starts(buf_view(&e.auth), STRV(" METHOD-0 METHOD-1")));
	assert_int_equal(e.auth.err, 0);
	/* A second answer stands instead of the first. */
	ehlo_parse(&e, STRV("250-x\n250 8BITMIME\n"));
	assert_int_equal(e.extensions, EHLO_8BITMIME);
	assert_int_equal(e.auth.len, 0);
	ehlo_free(&e);
	buf_free(&reply);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_odd_lines),
		cmocka_unit_test(test_methods_without_end),
	};

	return RUN_TESTS(tests);
}
