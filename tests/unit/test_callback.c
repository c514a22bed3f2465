/* What callbacks leave on disk, the exchangers of literals, the two checks'
 * places in the pipeline. */
#include "scratch.h"
#include "smtpd/callback_cache.h"
#include "smtpd/checks/list.h"
#include "smtpd/exchangers.h"
#include "smtpd/origin.h"
#include "smtpd_session.h"

static void
test_record_round_trip(void **state)
{
	static const char *const saids[] = { "", "250 ok\n",
		"550-a b\n550 c\n" };

	(void)state;
	for (int result = CALLBACK_ACCEPTED; result <= CALLBACK_DEAD; result++)
		for (size_t i = 0; i < 3; i++) {
			struct buf record = BUF_INIT;
			enum callback_result got = CALLBACK_DEAD;
			struct strv said;

			callback_record_make(&record, STRV("U x@Host.Example"),
			    (enum callback_result)result, strv_of(saids[i]));
			assert_int_equal(record.err, 0);
			assert_int_equal(
			    callback_record_parse(buf_view(&record),
				STRV("U x@hOST.example"), &got, &said),
			    0);
			assert_int_equal(got, result);
			assert_same(said, strv_of(saids[i]));
			assert_int_equal(
			    callback_record_parse(buf_view(&record),
				STRV("u x@host.example"), &got, &said),
			    QE_ABSENT);
			buf_free(&record);
		}
}

static void
test_record_refuses(void **state)
{
	static const char *const bad[] = { "", "\n", "A\n", "A 0\n", "A  u@a\n",
		"A 0 u@a", "a 0 u@a\n", "AA 0 u@a\n", "Z 0 u@a\n", "A -1 u@a\n",
		"A x u@a\n", "A 1 u@a\n", "A 2 u@a\nx\ny", "A 3 u@a\nabc",
		"A 0 u@a\nx\n", "A 99999999999999999999 u@a\n" };
	enum callback_result result;
	struct strv said;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(callback_record_parse(strv_of(bad[i]),
				     STRV("u@a"), &result, &said),
		    QE_CORRUPT);
}

/* What a disk may make of a record never passes for more than it was. */
static void
test_record_survives_damage(void **state)
{
	struct buf record = BUF_INIT;
	uint32_t random = 7;

	(void)state;
	callback_record_make(&record, STRV("user@host.example"),
	    CALLBACK_REFUSED, STRV("550-no\n550 such user\n"));
	for (int i = 0; i < 100000; i++) {
		struct buf copy = BUF_INIT;
		enum callback_result result;
		struct strv said;

		buf_add_view(&copy, buf_view(&record));
		for (uint32_t n = unit_random(&random) % 4; n > 0; n--)
			copy.data[unit_random(&random) % copy.len] =
			    (char)unit_random(&random);
		buf_truncate(&copy, unit_random(&random) % (copy.len + 1));
		if (callback_record_parse(buf_view(&copy),
			STRV("user@host.example"), &result, &said) == 0) {
			assert_true(said.len <= copy.len);
			assert_true(
			    said.len == 0 || said.ptr[said.len - 1] == '\n');
		}
		buf_free(&copy);
	}
	buf_free(&record);
}

static void
test_askable(void **state)
{
	(void)state;
	assert_true(callback_is_askable(STRV("a b@c")));
	assert_false(callback_is_askable(STRV("")));
	assert_false(callback_is_askable(STRV("\xc3\xa4@c")));
	assert_false(callback_is_askable(STRV("a\tb@c")));
	assert_false(callback_is_askable(STRV("a\r\n@c")));
	assert_false(callback_is_askable(STRV("a\x7f@c")));
}

static void
test_literals(void **state)
{
	struct exchangers e;
	struct ipaddr ip;

	(void)state;
	assert_int_equal(exchangers_literal(&e, STRV("[192.0.2.1]")), 0);
	assert_int_equal(exchangers_address(&e, 0, &ip), 0);
	assert_int_equal(ip.family, AF_INET);
	assert_int_equal(exchangers_address(&e, 1, &ip), QE_EOF);
	exchangers_free(&e);
	assert_int_equal(exchangers_literal(&e, STRV("[::]")), QE_ABSENT);
	assert_int_equal(exchangers_literal(&e, STRV("[x]")), QE_ABSENT);
	assert_int_equal(exchangers_address(&e, 0, &ip), QE_EOF);
	exchangers_free(&e);
}

/* A sender that goodmailfrom knows is asked for by neither. */
static void
test_skips(void **state)
{
	const unsigned all = SKIP_TRUSTED | SKIP_POSTMASTER | SKIP_GOOD_SENDER;

	(void)state;
	assert_int_equal(check_mfcheck.skip, all);
	assert_int_equal(check_mxblacklist.skip, all);
	assert_int_equal(check_mfcheck.stage, STAGE_RCPT);
	assert_int_equal(check_mxblacklist.stage, STAGE_RCPT);
}

static void
test_off_and_broken_without_dns(void **state)
{
	struct session *s = calloc(1, sizeof(*s));
	struct verdict v;

	(void)state;
	assert_non_null(s);
	assert_int_equal(mkdir("control", 0700), 0);
	session_fake(s);
	buf_add_str(&s->tx.sender, "s@[x]");
	assert_int_equal(check_mfcheck.run(s, &s->notes).kind, VERDICT_PASS);
	assert_int_equal(
	    check_mxblacklist.run(s, &s->notes).kind, VERDICT_PASS);
	origin_free(&s->notes.origin);
	unit_write("control/mfcheck", STRV("x\n"));
	v = check_mfcheck.run(s, &s->notes);
	assert_int_equal(v.kind, VERDICT_REJECT);
	assert_int_equal(v.reply.code, 451);
	assert_null(s->notes.origin);
	unit_write("control/mfcheck", STRV("1\n"));
	v = check_mfcheck.run(s, &s->notes);
	assert_int_equal(v.reply.code, 550);
	assert_string_equal(v.reply.enhanced, "5.1.8");
	assert_int_equal(v.tarpit, TARPIT_REJECTION);
	/* Another message, another sender. */
	notes_reset(&s->notes);
	buf_reset(&s->tx.sender);
	buf_add_str(&s->tx.sender, "s@[192.0.2.1]");
	assert_int_equal(check_mfcheck.run(s, &s->notes).kind, VERDICT_PASS);
	session_unfake(s);
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_round_trip),
		cmocka_unit_test(test_record_refuses),
		cmocka_unit_test(test_record_survives_damage),
		cmocka_unit_test(test_askable),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_skips),
		cmocka_unit_test_setup_teardown(test_off_and_broken_without_dns,
		    scratch_enter, scratch_leave),
	};

	return RUN_TESTS(tests);
}
