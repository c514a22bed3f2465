/* send/idset: against a plain table of the same ids. */
#include "send/idset.h"
#include "unit.h"

enum { IDS = 997 };

static void
test_idset_agrees_with_table(void **state)
{
	struct idset set = { 0 };
	bool table[IDS] = { false };
	size_t count = 0;
	uint32_t seed = 42;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint64_t n = unit_random(&seed) % IDS;
		uint64_t id = 1 + n;

		if (unit_random(&seed) % 2 == 0) {
			assert_int_equal(idset_add(&set, id), 0);
			count += !table[n];
			table[n] = true;
		} else {
			assert_int_equal(idset_remove(&set, id), table[n]);
			count -= table[n];
			table[n] = false;
		}
		n = unit_random(&seed) % IDS;
		assert_int_equal(idset_has(&set, 1 + n), table[n]);
		assert_int_equal(set.count, count);
	}
	idset_free(&set);
}

static void
test_idset_ends(void **state)
{
	struct idset set = { 0 };

	(void)state;
	assert_false(idset_has(&set, 5));
	assert_false(idset_remove(&set, 5));
	assert_int_equal(idset_add(&set, 0), 0);
	assert_false(idset_has(&set, 0));
	assert_int_equal(idset_add(&set, UINT64_MAX), 0);
	assert_int_equal(idset_add(&set, UINT64_MAX), 0);
	assert_int_equal(set.count, 1);
	assert_true(idset_remove(&set, UINT64_MAX));
	idset_free(&set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idset_agrees_with_table),
		cmocka_unit_test(test_idset_ends),
	};

	return RUN_TESTS(tests);
}
