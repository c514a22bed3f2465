/* send/limiter: places, pace, and what a busy peer makes of them. */
#include "send/limiter.h"
#include "unit.h"

enum { SECOND = 1000000 };

static struct limiter
new_limiter(unsigned concurrency, uint64_t rate)
{
	const struct destination_rule rule = { concurrency, rate };
	struct limiter l;

	limiter_init(&l, &rule);
	return l;
}

/* Starts as many as may at this time. */
static unsigned
fill(struct limiter *l, int64_t now)
{
	int64_t when = LIMITER_NEVER;
	unsigned n = 0;

	while (limiter_may_start(l, now, &when)) {
		limiter_started(l, now);
		n++;
	}
	return n;
}

static void
finish(struct limiter *l, unsigned n)
{
	while (n-- > 0)
		limiter_ended(l);
}

static void
test_places(void **state)
{
	struct limiter l = new_limiter(3, 0);
	int64_t when = LIMITER_NEVER;

	(void)state;
	assert_int_equal(fill(&l, SECOND), 3);
	assert_false(limiter_may_start(&l, 100 * SECOND, &when));
	assert_true(when == LIMITER_NEVER);
	limiter_ended(&l);
	assert_int_equal(fill(&l, SECOND), 1);
	l = new_limiter(0, 0);
	assert_int_equal(fill(&l, SECOND), 0);
}

static void
test_pace(void **state)
{
	struct limiter l = new_limiter(1000, 2000); /* two a second */
	int64_t when = LIMITER_NEVER;

	(void)state;
	assert_int_equal(fill(&l, 10 * SECOND), 1);
	assert_false(limiter_may_start(&l, 10 * SECOND, &when));
	assert_true(when > 10 * SECOND && when <= 10 * SECOND + SECOND / 2);
	for (int i = 1; i <= 20; i++)
		assert_true(fill(&l, 10 * SECOND + i * SECOND / 2) <= 1);
	assert_true(l.active >= 20 && l.active <= 21);
	/* A long silence is no credit for a flood. */
	assert_int_equal(fill(&l, 1000 * SECOND), 1);
}

static void
test_fast_pace_in_coarse_steps(void **state)
{
	struct limiter l = new_limiter(65000, 5000000); /* 5000 a second */
	unsigned n = 0;

	(void)state;
	for (int ms = 0; ms < 1000; ms += 10)
		n += fill(&l, SECOND + ms * 1000);
	assert_true(n >= 4900 && n <= 5600);
}

static void
test_busy_peer(void **state)
{
	struct limiter l = new_limiter(16, 0);
	int64_t now = SECOND, when = LIMITER_NEVER;

	(void)state;
	assert_int_equal(fill(&l, now), 16);
	/* What was under way is one strike, not sixteen. */
	for (int i = 0; i < 16; i++)
		limiter_heard(&l, LIMITER_BUSY, now);
	finish(&l, 16);
	assert_false(limiter_may_start(&l, now, &when));
	assert_true(when == now + LIMITER_PAUSE_MS * INT64_C(1000));
	now = when;
	assert_int_equal(fill(&l, now), 8);
	finish(&l, 8);
	for (int i = 0; i < 20; i++) {
		limiter_heard(&l, LIMITER_BUSY, now);
		when = LIMITER_NEVER;
		assert_false(limiter_may_start(&l, now, &when));
		assert_true(when <= now + LIMITER_PAUSE_MAX_MS * INT64_C(1000));
		now = when;
	}
	assert_true(when == now);
	assert_int_equal(fill(&l, now), 1);
}

static void
test_grows_again(void **state)
{
	struct limiter l = new_limiter(16, 0);
	int64_t now = SECOND;
	unsigned rounds = 0;

	(void)state;
	for (int i = 0; i < 8; i++, now += 100 * SECOND)
		limiter_heard(&l, LIMITER_BUSY, now);
	assert_int_equal(fill(&l, now), 1);
	finish(&l, 1);
	for (unsigned n = 1; n < 16; rounds++) {
		for (unsigned i = 0; i < n; i++)
			limiter_heard(&l, LIMITER_GOOD, now);
		n = fill(&l, now);
		finish(&l, n);
		assert_true(rounds < 100);
	}
	assert_true(rounds >= 4);
	limiter_heard(&l, LIMITER_GOOD, now);
	assert_int_equal(fill(&l, now), 16);
}

static void
test_new_rule(void **state)
{
	struct destination_rule rule = { 4, 0 };
	struct limiter l = new_limiter(16, 0);

	(void)state;
	limiter_set_rule(&l, &rule);
	assert_int_equal(fill(&l, SECOND), 4);
	rule.concurrency = 40;
	limiter_set_rule(&l, &rule);
	assert_int_equal(fill(&l, SECOND), 36);
	finish(&l, 40);
	limiter_heard(&l, LIMITER_BUSY, SECOND);
	rule.concurrency = 30; /* what was learnt stays */
	limiter_set_rule(&l, &rule);
	assert_int_equal(fill(&l, 100 * SECOND), 20);
}

static void
expect(struct strv output, enum limiter_outcome want)
{
	assert_int_equal(limiter_judge(output), want);
}

static void
test_judgement(void **state)
{
	(void)state;
	expect(STRV("r\0Kok\n"), LIMITER_GOOD);
	expect(
	    STRV("r\0ZConnected.\nRemote host said: 421 busy\n"), LIMITER_BUSY);
	expect(STRV("ZIP failed.\nRemote host said: 452 4.3.1 full\n"),
	    LIMITER_BUSY);
	expect(STRV("ZIP failed.\nRemote host said: 441 no\n"), LIMITER_OTHER);
	/* Greylisting is about a recipient. */
	expect(STRV("sno.\nRemote host said: 451 grey\n\0DGiving up.\n"),
	    LIMITER_OTHER);
	expect(STRV("ZI wasn't able to connect\n"), LIMITER_OTHER);
	expect(STRV("ZRemote host said: 550-421\n 421\n"), LIMITER_OTHER);
	expect(STRV("D421\n"), LIMITER_OTHER);
	expect(STRV(""), LIMITER_OTHER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_fast_pace_in_coarse_steps),
		cmocka_unit_test(test_busy_peer),
		cmocka_unit_test(test_grows_again),
		cmocka_unit_test(test_new_rule),
		cmocka_unit_test(test_judgement),
	};

	return RUN_TESTS(tests);
}
