/* send/bounce: paragraphs and the message around them, byte for byte. */
#include "scratch.h"
#include "send/send.h"

static void
expect_paragraph(struct strv recipient, struct strv report, struct strv want)
{
	struct buf out = BUF_INIT;

	bounce_add_paragraph(&out, recipient, report);
	assert_same(buf_view(&out), want);
	buf_free(&out);
}

static void
test_paragraphs(void **state)
{
	(void)state;
	expect_paragraph(STRV("joe-bad@local.example"), STRV("bad\n\ntwo\n"),
	    STRV("<joe-bad@local.example>:\nbad\n/two\n\n"));
	expect_paragraph(STRV("a@b"), STRV("bad"), STRV("<a@b>:\nbad\n\n"));
	expect_paragraph(STRV("a@b"), STRV("bad\n"), STRV("<a@b>:\nbad\n\n"));
	expect_paragraph(STRV("a\n@b"), STRV("x\n"), STRV("<a_@b>:\nx\n\n"));
	expect_paragraph(STRV("a@b"), STRV("\nx"), STRV("<a@b>:\n/x\n\n"));
	expect_paragraph(STRV("a@b"), STRV("x\n\n"), STRV("<a@b>:\nx\n/\n\n"));
	expect_paragraph(
	    STRV("a@b"), STRV("x\n\n\ny\n"), STRV("<a@b>:\nx\n//y\n\n"));
	expect_paragraph(STRV("a@b"), STRV("\n"), STRV("<a@b>:\n/\n\n"));
	expect_paragraph(STRV("a@b"), STRV(""), STRV("<a@b>:\n\n"));
}

/* Whatever the report is, the one empty line is the last. */
static void
test_paragraph_has_one_empty_line(void **state)
{
	uint32_t seed = 11;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct buf out = BUF_INIT;
		char report[8];
		size_t n = unit_random(&seed) % 9;
		const char *empty;

		for (size_t k = 0; k < n; k++)
			report[k] = unit_random(&seed) % 2 == 0 ? '\n' : 'x';
		bounce_add_paragraph(&out, STRV("a@b"), strv_from(report, n));
		empty = strstr(buf_cstr(&out), "\n\n");
		assert_non_null(empty);
		assert_int_equal(empty + 2 - out.data, out.len);
		buf_free(&out);
	}
}

static void
set(struct buf *b, const char *text)
{
	buf_reset(b);
	buf_add_str(b, text);
}

static struct send_config
make_config(void)
{
	struct send_config config = { .lifetime = 1 };

	set(&config.bouncefrom, "MAILER-DAEMON");
	set(&config.bouncehost, "me.example");
	set(&config.doublebounceto, "postmaster");
	set(&config.doublebouncehost, "db.example");
	return config;
}

static void
free_config(struct send_config *config)
{
	buf_free(&config->bouncefrom);
	buf_free(&config->bouncehost);
	buf_free(&config->doublebounceto);
	buf_free(&config->doublebouncehost);
}

static void
expect_bounce(struct strv sender, struct strv want)
{
	struct send_config config = make_config();
	struct buf out = BUF_INIT;
	struct bounce b;

	assert_int_equal(bounce_address(&b, &config, sender), 0);
	buf_add_str(&out, "F");
	buf_add_view(&out, buf_view(&b.sender));
	buf_add_char(&out, '\n');
	bounce_add_head(&out, &config, &b, 1795310305);
	buf_add_str(&out, "[paragraphs]\n\n");
	bounce_add_middle(&out, &b, sender);
	assert_same(buf_view(&out), want);
	buf_free(&out);
	buf_free(&b.sender);
	buf_free(&b.recipient);
	free_config(&config);
}

static void
test_bounce(void **state)
{
	(void)state;
	expect_bounce(STRV("jo e@x.example"),
	    STRV("F\n"
		 "Date: 22 Nov 2026 01:18:25 -0000\n"
		 "From: MAILER-DAEMON@me.example\n"
		 "To: \"jo e\"@x.example\n"
		 "Subject: failure notice\n"
		 "\n"
		 "Hi. This is the qmail-send program at me.example.\n"
		 "I'm afraid I wasn't able to deliver your message to the "
		 "following addresses.\n"
		 "This is a permanent error; I've given up. Sorry it didn't "
		 "work out.\n"
		 "\n"
		 "[paragraphs]\n\n"
		 "--- Below this line is a copy of the message.\n"
		 "\n"
		 "Return-Path: <\"jo e\"@x.example>\n"));
}

static void
test_double_bounce(void **state)
{
	(void)state;
	expect_bounce(STRV(""),
	    STRV("F#@[]\n"
		 "Date: 22 Nov 2026 01:18:25 -0000\n"
		 "From: MAILER-DAEMON@me.example\n"
		 "To: postmaster@db.example\n"
		 "Subject: failure notice\n"
		 "\n"
		 "Hi. This is the qmail-send program at me.example.\n"
		 "I tried to deliver a bounce message to this address, but the "
		 "bounce bounced!\n"
		 "\n"
		 "[paragraphs]\n\n"
		 "--- Below this line is the original bounce.\n"
		 "\n"
		 "Return-Path: <>\n"));
}

static void
test_bounce_addresses(void **state)
{
	struct send_config config = make_config();
	struct bounce b;

	(void)state;
	assert_int_equal(
	    bounce_address(&b, &config, STRV("list-@host-@[]")), 0);
	assert_buf(&b.recipient, "list-@host");
	assert_int_equal(b.sender.len, 0);
	buf_free(&b.recipient);
	assert_int_equal(bounce_address(&b, &config, STRV("#@[]")), 0);
	assert_true(b.is_triple);
	buf_free(&b.recipient);
	buf_reset(&config.doublebounceto);
	assert_int_equal(bounce_address(&b, &config, STRV("")), 0);
	assert_buf(&b.recipient, "@db.example");
	buf_free(&b.sender);
	buf_free(&b.recipient);
	free_config(&config);
}

static void
test_bounce_append(void **state)
{
	struct buf got;
	struct stat st;

	(void)state;
	assert_int_equal(bounce_append("7", STRV("one\n\n")), 0);
	assert_int_equal(bounce_append("7", STRV("two\n\n")), 0);
	got = unit_read("7");
	assert_buf(&got, "one\n\ntwo\n\n");
	buf_free(&got);
	assert_int_equal(stat("7", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(bounce_append("no/such", STRV("x")), QE_SYS);
	if (access("/dev/full", W_OK) == 0)
		assert_int_equal(bounce_append("/dev/full", STRV("x")), QE_SYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paragraphs),
		cmocka_unit_test(test_paragraph_has_one_empty_line),
		cmocka_unit_test(test_bounce),
		cmocka_unit_test(test_double_bounce),
		cmocka_unit_test(test_bounce_addresses),
		cmocka_unit_test_setup_teardown(
		    test_bounce_append, scratch_enter, scratch_leave),
	};

	return RUN_TESTS(tests);
}
