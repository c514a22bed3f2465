/* Taps: who is asked, who gets the message, and that all are let go. */
#include "smtpd/checks/list.h"
#include "smtpd/pipeline.h"
#include "smtpd/tap.h"
#include "smtpd_session.h"
#include "unit.h"

/* What the taps below were called for: a letter for each call. */
static struct buf calls;

static bool
begin_yes(struct session *s, struct strv fields)
{
	(void)s;
	buf_add_view(&calls, fields);
	return true;
}

static bool
begin_no(struct session *s, struct strv fields)
{
	(void)s;
	(void)fields;
	buf_add_str(&calls, "n");
	return false;
}

static void
feed(struct session *s, struct strv bytes, int64_t deadline_ms)
{
	(void)s;
	assert_int_equal(deadline_ms, 7);
	buf_add_str(&calls, "(");
	buf_add_view(&calls, bytes);
	buf_add_str(&calls, ")");
}

static void
end(struct session *s)
{
	(void)s;
	buf_add_str(&calls, "e");
}

static void
end_session(struct session *s)
{
	(void)s;
	buf_add_str(&calls, "c");
}

static const struct tap eager = {
	.begin = begin_yes, .feed = feed, .end = end, .close = end_session
};
static const struct tap endless = {
	.begin = begin_yes, .feed = feed, .close = end_session
};
static const struct tap idle = {
	.begin = begin_no, .feed = feed, .end = end, .close = end_session
};
static const struct tap of_a_check = {
	.check = &check_maxrcpt, /* not for sessions that may relay */
	.begin = begin_yes,
	.feed = feed,
	.end = end,
	.close = end_session
};

static void
message(struct session *s, const struct tap *const list[])
{
	buf_reset(&calls);
	taps_begin(s, list, STRV("f"));
	taps_feed(s, STRV("ab"), 7);
	taps_end(s);
	taps_close(s);
}

static void
test_those_that_want_it_get_the_message(void **state)
{
	const struct tap *const list[] = { &idle, &eager, &endless, NULL };
	struct session s;

	(void)state;
	session_fake(&s);
	message(&s, list);
	assert_buf(&calls, "nff(ab)(ab)ecc");
	/* Closed once, and nothing comes after it. */
	taps_close(&s);
	taps_feed(&s, STRV("x"), 7);
	assert_buf(&calls, "nff(ab)(ab)ecc");
	session_unfake(&s);
}

static void
test_early_close(void **state)
{
	const struct tap *const list[] = { &eager, NULL };
	struct session s;

	(void)state;
	session_fake(&s);
	buf_reset(&calls);
	taps_begin(&s, list, STRV("f"));
	taps_close(&s);
	taps_feed(&s, STRV("ab"), 7);
	taps_end(&s);
	assert_buf(&calls, "fc");
	session_unfake(&s);
}

static void
test_tap_of_a_check_goes_with_it(void **state)
{
	const struct tap *const list[] = { &of_a_check, NULL };
	struct session s;

	(void)state;
	session_fake(&s);
	message(&s, list);
	assert_buf(&calls, "f(ab)ec");
	s.relay = true;
	message(&s, list);
	assert_buf(&calls, "");
	s.relay = false;
	for (size_t i = 0; i < checks_count; i++)
		if (checks_list[i] == &check_maxrcpt)
			s.notes.modes[i] = CHECK_OFF;
	message(&s, list);
	assert_buf(&calls, "");
	session_unfake(&s);
}

static void
test_more_taps_than_there_is_room_for(void **state)
{
	const struct tap *list[TAPS_MAX + 3];
	struct session s;

	(void)state;
	session_fake(&s);
	for (size_t i = 0; i < TAPS_MAX + 2; i++)
		list[i] = &eager;
	list[TAPS_MAX + 2] = NULL;
	message(&s, list);
	assert_int_equal(calls.len, TAPS_MAX * (1 + 4 + 1 + 1));
	session_unfake(&s);
}

static int
give_back(void **state)
{
	(void)state;
	buf_free(&calls);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_those_that_want_it_get_the_message),
		cmocka_unit_test(test_early_close),
		cmocka_unit_test(test_tap_of_a_check_goes_with_it),
		cmocka_unit_test(test_more_taps_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, give_back);
}
