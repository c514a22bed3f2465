/* base/lot: places are the same every time, and spread over the circle. */
#include "base/lot.h"
#include "unit.h"

enum { NAMES = 4096, PARTS = 16 };

static void
test_lot_is_drawn_once(void **state)
{
	const struct lot one = { .key = { 1 } }, two = { .key = { 2 } };
	struct lot ours, again;

	(void)state;
	assert_true(lot_draw(&one, STRV("joe")) == lot_draw(&one, STRV("joe")));
	assert_false(
	    lot_draw(&one, STRV("joe")) == lot_draw(&two, STRV("joe")));
	assert_false(
	    lot_draw(&one, STRV("joe")) == lot_draw(&one, STRV("jof")));
	lot_init(&ours);
	lot_init(&again);
	assert_memory_equal(&ours, &again, sizeof(ours));
}

static void
test_lot_prefers_nobody(void **state)
{
	const struct lot lot = { .key = { 7 } };
	unsigned found[PARTS] = { 0 };

	(void)state;
	for (unsigned i = 0; i < NAMES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "u%u", i);
		found[lot_draw(&lot, strv_of(name)) >> 60]++;
	}
	/* Five standard deviations around the mean of 256. */
	for (unsigned i = 0; i < PARTS; i++) {
		assert_true(found[i] > 178);
		assert_true(found[i] < 334);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lot_is_drawn_once),
		cmocka_unit_test(test_lot_prefers_nobody),
	};

	return RUN_TESTS(tests);
}
