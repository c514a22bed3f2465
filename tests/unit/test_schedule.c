/* send/schedule: order, shares, retry times.  No clock. */
#include "send/schedule.h"
#include "unit.h"

static void
test_isqrt_is_exact(void **state)
{
	static const uint64_t roots[] = { 0, 1, 2, 3, 10, 255, 256, 65535,
		65536, 3037000499, 4294967294, 4294967295 };
	uint32_t seed = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		uint64_t r = roots[i], square = r * r;

		assert_true(schedule_isqrt(square) == r);
		if (r > 0)
			assert_true(schedule_isqrt(square - 1) == r - 1);
		if (r > 0 && r < 4294967295)
			assert_true(schedule_isqrt(square + 1) == r);
	}
	assert_true(schedule_isqrt(UINT64_MAX) == 4294967295);
	for (int i = 0; i < 20000; i++) {
		uint64_t n =
		    (uint64_t)unit_random(&seed) << 32 | unit_random(&seed);
		uint64_t r = schedule_isqrt(n >> (i % 64));

		assert_true(r * r <= n >> (i % 64));
		assert_true(
		    r == 4294967295 || (r + 1) * (r + 1) > n >> (i % 64));
	}
}

static void
test_retry_times(void **state)
{
	int64_t at = 1000000;

	(void)state;
	for (int64_t n = 1; n < 12; n++) {
		at = schedule_retry_time(1000000, at, 10);
		assert_int_equal(at, 1000000 + 100 * n * n);
	}
	at = 1000000;
	for (int64_t n = 1; n < 12; n++) {
		at = schedule_retry_time(1000000, at, 20);
		assert_int_equal(at, 1000000 + 400 * n * n);
	}
	/* isqrt rounds down; a birth in the future counts as age 0. */
	assert_int_equal(schedule_retry_time(0, 99, 10), 361);
	assert_int_equal(schedule_retry_time(5000, 4000, 10), 5100);
	assert_true(schedule_retry_time(INT64_MIN, INT64_MAX, 20) > 0);
	assert_true(schedule_retry_time(INT64_MAX, INT64_MIN, 20) > 0);
	assert_true(schedule_retry_time(0, INT64_MAX, 20) > 0);
}

static void
test_heap_sorts(void **state)
{
	struct entry_heap heap = { 0 };
	uint32_t seed = 99;
	int64_t last = INT64_MIN;
	uint64_t id;

	(void)state;
	assert_true(entry_heap_next(&heap) == SCHEDULE_NEVER);
	for (uint64_t i = 1; i <= 5000; i++)
		assert_int_equal(
		    entry_heap_add(&heap, unit_random(&seed) % 1000, i), 0);
	assert_false(entry_heap_take(&heap, -1, &id));
	for (int i = 0; i < 5000; i++) {
		int64_t next = entry_heap_next(&heap);

		assert_true(next >= last);
		last = next;
		assert_true(entry_heap_take(&heap, 1000, &id));
	}
	assert_false(entry_heap_take(&heap, INT64_MAX, &id));
	entry_heap_free(&heap);
}

static void
test_heap_expedites(void **state)
{
	struct entry_heap heap = { 0 };
	uint64_t id;

	(void)state;
	for (int64_t i = 0; i < 100; i++)
		entry_heap_add(&heap, (i * 37) % 100, (uint64_t)i + 1);
	entry_heap_expedite(&heap, 40);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(entry_heap_next(&heap), i < 40 ? i : 40);
		assert_true(entry_heap_take(&heap, 40, &id));
	}
	entry_heap_free(&heap);
}

static void
test_fifo_keeps_order(void **state)
{
	struct id_fifo fifo = { 0 };
	uint64_t in = 0, out = 0, id;
	uint32_t seed = 5;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		if (unit_random(&seed) % 5 < (i < 10000 ? 3U : 2U)) {
			assert_int_equal(id_fifo_add(&fifo, ++in), 0);
		} else if (id_fifo_take(&fifo, &id)) {
			assert_true(id == ++out);
		}
	}
	while (id_fifo_take(&fifo, &id))
		assert_true(id == ++out);
	assert_true(in == out);
	id_fifo_free(&fifo);
}

static void
test_first_attempts_go_first(void **state)
{
	struct schedule s = { .starts = 0 };
	unsigned retries = 0;
	uint64_t id;

	(void)state;
	assert_true(schedule_next(&s, 50) == SCHEDULE_NEVER);
	for (uint64_t i = 0; i < 100; i++) {
		schedule_add_retry(&s, 10, 1000 + i);
		schedule_add_first(&s, 1 + i);
	}
	assert_int_equal(schedule_next(&s, 50), 50);
	for (int i = 0; i < 50; i++) {
		assert_true(schedule_take(&s, 50, &id));
		retries += id >= 1000;
	}
	assert_int_equal(retries, 50 / SCHEDULE_RETRY_SHARE);
	/* Then either kind may have it all. */
	for (int i = 0; i < 150; i++)
		assert_true(schedule_take(&s, 50, &id));
	assert_false(schedule_take(&s, 50, &id));
	schedule_free(&s);
}

static void
test_retries_wait(void **state)
{
	struct schedule s = { .starts = 0 };
	uint64_t id;

	(void)state;
	schedule_add_retry(&s, 100, 7);
	assert_int_equal(schedule_next(&s, 50), 100);
	assert_false(schedule_take(&s, 99, &id));
	for (uint64_t i = 1; i <= 20; i++) {
		schedule_add_first(&s, i);
		assert_true(schedule_take(&s, 99, &id));
		assert_true(id == i);
	}
	assert_true(schedule_take(&s, 100, &id));
	assert_int_equal(id, 7);
	schedule_free(&s);
}

static void
test_entry_is_small(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct entry), 16);
}

static void
test_expedite_some(void **state)
{
	struct entry_heap heap = { .count = 0 };
	struct idset ids = { .count = 0 };
	int64_t last = 0;
	uint64_t id;
	int early = 0;

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		assert_int_equal(
		    entry_heap_add(&heap, (int64_t)(i * 7919 % 1000) + 10, i),
		    0);
	for (uint64_t i = 3; i <= 1000; i += 3)
		assert_int_equal(idset_add(&ids, i), 0);
	entry_heap_expedite_some(&heap, 5, &ids);
	while (entry_heap_next(&heap) == 5) {
		assert_true(entry_heap_take(&heap, 5, &id));
		assert_int_equal(id % 3, 0);
		early++;
	}
	assert_int_equal(early, 333);
	for (int left = 667; left > 0; left--) {
		assert_true(entry_heap_next(&heap) >= last);
		last = entry_heap_next(&heap);
		assert_true(entry_heap_take(&heap, 100000, &id));
	}
	assert_int_equal(heap.count, 0);
	idset_free(&ids);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_isqrt_is_exact),
		cmocka_unit_test(test_retry_times),
		cmocka_unit_test(test_heap_sorts),
		cmocka_unit_test(test_heap_expedites),
		cmocka_unit_test(test_fifo_keeps_order),
		cmocka_unit_test(test_first_attempts_go_first),
		cmocka_unit_test(test_retries_wait),
		cmocka_unit_test(test_expedite_some),
		cmocka_unit_test(test_entry_is_small),
	};

	return RUN_TESTS(tests);
}
