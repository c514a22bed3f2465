/* send/spawn_link: requests, reports in any pieces, greetings, VERP. */
#include "send/spawn_link.h"
#include "unit.h"

static void
expect_sender(struct strv sender, struct strv recipient, struct strv want)
{
	struct buf out = BUF_INIT;

	spawn_link_add_sender(&out, sender, recipient);
	assert_same(buf_view(&out), want);
	buf_free(&out);
}

static void
test_verp(void **state)
{
	(void)state;
	expect_sender(
	    STRV("pre@host-@[]"), STRV("box@dom"), STRV("prebox=dom@host"));
	expect_sender(STRV("list-@h@host-@[]"), STRV("b@o@dom"),
	    STRV("list-@hb@o=dom@host"));
	expect_sender(STRV("pre-@[]"), STRV("box@dom"), STRV("pre-@[]"));
	expect_sender(STRV("pre@host-@[]"), STRV("box"), STRV("pre@host-@[]"));
	expect_sender(STRV("-@[]"), STRV("box@dom"), STRV("-@[]"));
	expect_sender(STRV("#@[]"), STRV("box@dom"), STRV("#@[]"));
	expect_sender(STRV(""), STRV("box@dom"), STRV(""));
	expect_sender(STRV("a@b"), STRV("box@dom"), STRV("a@b"));
}

static void
test_request(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	spawn_link_add_request(
	    &out, 1, 5, "12/1106519", STRV("s@x"), STRV("joe@host"));
	assert_buf(&out, "\005"
			 "12/1106519\0s@x\0joe@host\0");
	buf_reset(&out);
	spawn_link_add_request(&out, 2, 0x1234, "1/2", STRV(""), STRV("a@b"));
	assert_buf(&out, "\x34\x12"
			 "1/2\0\0a@b\0");
	buf_free(&out);
}

/* All reports of a stream, each as "<number>:<text>|". */
static void
expect_reports(unsigned number_bytes, struct strv in, struct strv want)
{
	struct spawn_report *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	for (size_t piece = 1; piece <= in.len; piece++) {
		struct buf got = BUF_INIT;
		struct strv rest = in;

		r->number_bytes = number_bytes;
		spawn_report_reset(r);
		while (rest.len > 0) {
			bool complete;
			size_t used = spawn_report_feed(
			    r, strv_head(rest, piece), &complete);

			assert_true(used > 0);
			rest = strv_skip(rest, used);
			if (!complete)
				continue;
			buf_addf(&got, "%u:", r->number);
			buf_add(&got, r->text, r->len);
			buf_add_char(&got, '|');
			spawn_report_reset(r);
		}
		assert_same(buf_view(&got), want);
		buf_free(&got);
	}
	free(r);
}

static void
test_reports_in_any_pieces(void **state)
{
	(void)state;
	expect_reports(1,
	    STRV("\0Kok\n\0\005Dbad\0\xffZ\0A\0"
		 "B"),
	    STRV("0:Kok\n|5:Dbad|255:Z|65:|"));
	expect_reports(2, STRV("\0\0Kok\0\0\1Kx\0\1\0Z\0\0\0\0"),
	    STRV("0:Kok|256:Kx|1:Z|0:|"));
}

static void
test_report_is_cut(void **state)
{
	struct spawn_report *r = calloc(1, sizeof(*r));
	bool complete = false;
	size_t n = 3 * SPAWN_REPORT_MAX;
	char *bytes = malloc(n);

	(void)state;
	assert_non_null(r);
	assert_non_null(bytes);
	memset(bytes, 'D', n);
	r->number_bytes = 1;
	spawn_report_reset(r);
	assert_int_equal(
	    spawn_report_feed(r, strv_from(bytes, n), &complete), n);
	assert_false(complete);
	assert_int_equal(
	    spawn_report_feed(r, strv_from(bytes, n), &complete), n);
	assert_int_equal(spawn_report_feed(r, STRV("x\0y"), &complete), 2);
	assert_true(complete);
	assert_int_equal(r->number, 'D');
	assert_int_equal(r->len, SPAWN_REPORT_MAX - 1);
	free(bytes);
	free(r);
}

static void
expect_greeting(
    struct strv bytes, int want, unsigned limit, unsigned number_bytes)
{
	struct spawn_limit got = { 0 };
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(
	    write(fds[1], bytes.ptr, bytes.len), (ssize_t)bytes.len);
	close(fds[1]);
	assert_int_equal(spawn_link_greeting(fds[0], &got), want);
	if (want == 0) {
		assert_int_equal(got.limit, limit);
		assert_int_equal(got.number_bytes, number_bytes);
	}
	close(fds[0]);
}

static void
test_greetings(void **state)
{
	(void)state;
	expect_greeting(STRV("x"), 0, 120, 1);
	expect_greeting(STRV("\xff"), 0, 255, 1);
	expect_greeting(STRV("\0\xe8\xfd"), 0, 65000, 2);
	expect_greeting(STRV("\0\xe9\xfd"), QE_SYNTAX, 0, 0);
	expect_greeting(STRV("\0\0\0"), QE_SYNTAX, 0, 0);
	expect_greeting(STRV("\0\1"), QE_EOF, 0, 0);
	expect_greeting(STRV(""), QE_EOF, 0, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verp),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_reports_in_any_pieces),
		cmocka_unit_test(test_report_is_cut),
		cmocka_unit_test(test_greetings),
	};

	return RUN_TESTS(tests);
}
