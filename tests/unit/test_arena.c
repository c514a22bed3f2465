/* Blocks that live together. */
#include "base/arena.h"
#include "unit.h"

#include <stdint.h>

static void
test_blocks_are_apart(void **state)
{
	enum { BLOCKS = 5000 };
	static unsigned char *blocks[BLOCKS];
	struct arena a = { .chunks = NULL };

	(void)state;
	for (size_t i = 0; i < BLOCKS; i++) {
		size_t n = 1 + i * 7 % 300;

		blocks[i] = arena_take(&a, n);
		assert_non_null(blocks[i]);
		assert_int_equal(
		    (uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
		memset(blocks[i], (int)(i % 251), n);
	}
	for (size_t i = 0; i < BLOCKS; i++) {
		assert_int_equal(blocks[i][0], i % 251);
		assert_int_equal(blocks[i][i * 7 % 300], i % 251);
	}
	arena_free(&a);
	assert_null(a.chunks);
}

static void
test_the_last_is_used_again(void **state)
{
	struct arena a = { .chunks = NULL };
	void *first = arena_take(&a, 100), *last = arena_take(&a, 100), *other;

	(void)state;
	assert_true(arena_give(&a, last));
	assert_ptr_equal(arena_take(&a, 200), last);
	assert_true(arena_give(&a, first));
	other = arena_take(&a, 16);
	assert_ptr_not_equal(other, first);
	arena_free(&a);
}

static void
test_whose_block_it_is(void **state)
{
	struct arena a = { .chunks = NULL };
	int elsewhere;

	(void)state;
	assert_false(arena_give(&a, &elsewhere));
	assert_null(arena_take(&a, ARENA_BLOCK_MAX + 1));
	assert_non_null(arena_take(&a, ARENA_BLOCK_MAX));
	assert_false(arena_give(&a, &elsewhere));
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_are_apart),
		cmocka_unit_test(test_the_last_is_used_again),
		cmocka_unit_test(test_whose_block_it_is),
	};

	return RUN_TESTS(tests);
}
