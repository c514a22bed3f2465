/* send/dsn: what programs are told of each recipient. */
#include "send/dsn.h"
#include "unit.h"

static void
expect(struct strv paragraph, struct strv want)
{
	struct buf out = BUF_INIT;

	assert_true(dsn_add_recipient(&out, &paragraph));
	assert_same(buf_view(&out), want);
	assert_int_equal(paragraph.len, 0);
	assert_false(dsn_add_recipient(&out, &paragraph));
	buf_free(&out);
}

static void
test_recipient(void **state)
{
	(void)state;
	expect(STRV("<joe@a.example>:\n192.0.2.1 does not like recipient.\n"
		    "Remote host said: 550-5.1.1 no such\n550 5.1.1 user\n\n"),
	    STRV("\nFinal-Recipient: rfc822; joe@a.example\n"
		 "Action: failed\nStatus: 5.1.1\n"
		 "Diagnostic-Code: smtp; 550-5.1.1 no such\n"
		 "\t550 5.1.1 user\n"));
	expect(STRV("<a b@c>:\nSorry, no mailbox here by that name. "
		    "(#5.1.1)\n\n"),
	    STRV("\nFinal-Recipient: rfc822; \"a b\"@c\n"
		 "Action: failed\nStatus: 5.1.1\n"
		 "Diagnostic-Code: x-qmail; Sorry, no mailbox here by that "
		 "name. (#5.1.1)\n"));
	expect(STRV("<a@c>:\n\xc3\xa4\r/\n\n"),
	    STRV("\nFinal-Recipient: rfc822; a@c\n"
		 "Action: failed\nStatus: 5.0.0\n"
		 "Diagnostic-Code: x-qmail; ??"
		 "?/\n"));
}

static void
expect_status(const char *report, const char *status)
{
	struct buf in = BUF_INIT, out = BUF_INIT, want = BUF_INIT;
	struct strv rest;

	buf_addf(&in, "<a@b>:\n%s\n\n", report);
	rest = buf_view(&in);
	assert_true(dsn_add_recipient(&out, &rest));
	buf_addf(&want, "\nStatus: %s\n", status);
	assert_non_null(strstr(buf_cstr(&out), buf_cstr(&want)));
	buf_free(&in);
	buf_free(&out);
	buf_free(&want);
}

static void
test_status(void **state)
{
	(void)state;
	expect_status("x (#5.7.123)", "5.7.123");
	expect_status("x (#5.1.3)\nRemote host said: 550 5.2.2 full", "5.2.2");
	expect_status("x (#5.1.3)\nRemote host said: 550 no", "5.1.3");
	expect_status("Remote host said: 550-5.7.1 a\n550 5.7.1 b", "5.7.1");
	expect_status("Remote host said: 550 5.1.1.1 x", "5.0.0");
	expect_status("Remote host said: 550 5.1234.1 x", "5.0.0");
	expect_status("Remote host said: 5", "5.0.0");
	expect_status("x (#4.3.0)", "5.0.0");
	expect_status("x (#5.1)", "5.0.0");
	expect_status("no code", "5.0.0");
	expect_status("x (#4.4.1)\nI'm not going to try again; this message "
		      "has been in the queue too long.",
	    "4.4.7");
}

static void
test_strange_files(void **state)
{
	struct buf out = BUF_INIT;
	struct strv rest =
	    STRV("\n\nnot ours\n\n<>:\n\n<a@b>:\n(#5.2.1)\n\n<torn@b");

	(void)state;
	while (dsn_add_recipient(&out, &rest))
		;
	assert_non_null(strstr(buf_cstr(&out), "rfc822; a@b\n"));
	assert_non_null(strstr(out.data, "Status: 5.2.1\n"));
	assert_null(strstr(out.data, "not ours"));
	buf_free(&out);
}

/* A report of any length adds lines of bounded length. */
static void
test_long_report(void **state)
{
	struct buf in = BUF_INIT, out = BUF_INIT;
	struct strv rest;

	(void)state;
	buf_add_str(&in, "<a@b>:\n");
	for (int i = 0; i < 5000; i++)
		buf_add_char(&in, 'x');
	buf_add_str(&in, "\n\n");
	rest = buf_view(&in);
	assert_true(dsn_add_recipient(&out, &rest));
	assert_true(out.len < DSN_DIAGNOSTIC_MAX + 200);
	buf_free(&in);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipient),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_strange_files),
		cmocka_unit_test(test_long_report),
	};

	return RUN_TESTS(tests);
}
