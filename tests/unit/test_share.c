/* send/share: no domain takes all places, and whoever waits gets a turn. */
#include "send/share.h"
#include "unit.h"

static struct share *
share_of(struct share_table *t, struct strv recipient)
{
	struct share *share = share_get(t, recipient);

	assert_non_null(share);
	return share;
}

/* How many places a domain gets of those that are free. */
static unsigned
fill(struct share *share, unsigned *free_places)
{
	unsigned n = 0;

	for (; share_may_start(share, *free_places); n++) {
		share->running++;
		--*free_places;
	}
	return n;
}

static void
release(struct share_table *t, struct share *share)
{
	share->running = 0;
	share_release(t, share);
}

static void
test_parts(void **state)
{
	static const struct {
		unsigned places, first, second, left;
	} cases[] = {
		{1,    1,  0,  0},
		{ 4,   4,  0,  0},
		{ 5,   4,  1,  0},
		{ 20,  16, 4,  0},
		{ 100, 80, 16, 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct share_table t = { .waiting = 0 };
		struct share *a = share_of(&t, STRV("u@a"));
		struct share *b = share_of(&t, STRV("u@b"));
		unsigned left = cases[i].places;

		assert_int_equal(fill(a, &left), cases[i].first);
		assert_int_equal(fill(b, &left), cases[i].second);
		assert_int_equal(left, cases[i].left);
		assert_false(share_may_start(a, 0));
		release(&t, a);
		release(&t, b);
	}
}

static void
test_names(void **state)
{
	struct share_table t = { .waiting = 0 };
	struct share *a = share_of(&t, STRV("u@Host.Example"));

	(void)state;
	assert_ptr_equal(a, share_of(&t, STRV("v@x@host.example")));
	assert_ptr_not_equal(a, share_of(&t, STRV("u@other")));
	share_release(&t, share_of(&t, STRV("u@other")));
	a->running = 1;
	share_release(&t, a);
	assert_ptr_equal(a, share_of(&t, STRV("w@HOST.EXAMPLE")));
	release(&t, a);
	for (size_t i = 0; i < SHARE_BUCKETS; i++)
		assert_null(t.buckets[i]);
}

static void
test_waiting(void **state)
{
	struct share_table t = { .waiting = 0 };
	struct share *a = share_of(&t, STRV("u@a"));
	struct share *b = share_of(&t, STRV("u@b"));
	uint64_t id = 0;

	(void)state;
	assert_false(share_take(&t, 5, 10, &id));
	a->running = 4;
	b->running = 4;
	assert_int_equal(share_park(&t, a, 10, 1, true), 0);
	assert_int_equal(share_park(&t, a, 10, 2, false), 0);
	assert_int_equal(share_park(&t, b, 10, 3, false), 0);
	assert_int_equal(t.waiting, 3);
	assert_false(share_take(&t, 1, 10, &id));
	/* Domains take turns, first attempts go before retries. */
	assert_true(share_take(&t, 2, 10, &id));
	assert_int_equal(id, 2);
	assert_true(share_take(&t, 2, 10, &id));
	assert_int_equal(id, 3);
	assert_true(share_take(&t, 2, 10, &id));
	assert_int_equal(id, 1);
	assert_false(share_take(&t, 2, 10, &id));
	assert_int_equal(t.waiting, 0);
	release(&t, a);
	release(&t, b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_waiting),
	};

	return RUN_TESTS(tests);
}
