/* base/ident: answers of RFC 1413 and what calls itself so. */
#include "base/clock.h"
#include "base/ident.h"
#include "unit.h"

static void
expect(const char *line, int result, const char *user)
{
	struct buf out = BUF_INIT;

	assert_int_equal(ident_parse(strv_of(line), &out), result);
	assert_same(buf_view(&out), strv_of(user));
	buf_free(&out);
}

static void
test_ident_parse(void **state)
{
	char line[IDENT_USER_MAX + 40];

	(void)state;
	expect("6193, 23 : USERID : UNIX : stjohns", 0, "stjohns");
	expect("1,2:userid:OTHER,x:a b:c ", 0, "a b:c");
	expect("6195, 23 : ERROR : NO-USER", QE_ABSENT, "");
	expect("1,2 : USERID : UNIX", QE_ABSENT, "");
	expect("1,2 : USERID : UNIX : ", QE_ABSENT, "");
	expect("1,2 : USERID : UNIX : a\033b", QE_ABSENT, "");
	expect("", QE_ABSENT, "");
	memset(line, 'x', sizeof(line));
	memcpy(line, "1,2:USERID:U:", 13);
	line[sizeof(line) - 1] = '\0';
	expect(line, QE_ABSENT, "");
}

static void
test_ident_without_server(void **state)
{
	static const unsigned char loopback[4] = { 127, 0, 0, 1 };
	struct ident_question q = { .local_port = 1, .remote_port = 2 };
	struct buf out = BUF_INIT;

	(void)state;
	ipaddr_set(&q.local, AF_INET, loopback);
	ipaddr_set(&q.remote, AF_INET, loopback);
	assert_int_equal(ident_ask(&q, clock_mono_ms() + 500, &out), QE_ABSENT);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ident_parse),
		cmocka_unit_test(test_ident_without_server),
	};

	return RUN_TESTS(tests);
}
