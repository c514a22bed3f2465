/* base/buf: the ceiling and the sticky error. */
#include "base/buf.h"
#include "unit.h"

static void
test_buf_grows(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(buf_view(&b).len, 0);
	assert_non_null(buf_view(&b).ptr);
	for (int i = 0; i < 10000; i++)
		buf_add_char(&b, (char)i);
	assert_int_equal(b.len, 10000);
	assert_int_equal(b.err, 0);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(b.data[i], (char)i);
	buf_free(&b);
	assert_null(b.data);
}

static void
test_buf_adds_every_kind(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_add_str(&b, "a");
	buf_add_view(&b, STRV("\0b"));
	buf_add_view(&b, STRV_EMPTY);
	buf_add_u64(&b, 0);
	buf_add_u64(&b, UINT64_MAX);
	buf_add_lower(&b, STRV("AZ[\xc4"));
	buf_addf(&b, "%d-%s", 7, "x");
	buf_addf(&b, "%s", "");
	assert_buf(&b, "a\0b018446744073709551615az[\xc4"
		       "7-x");
	buf_free(&b);
}

static void
test_buf_limit_is_exact_and_sticks(void **state)
{
	struct buf b = BUF_LIMIT(4);

	(void)state;
	buf_add_str(&b, "abcd");
	assert_int_equal(b.err, 0);
	buf_add_char(&b, 'e');
	assert_int_equal(b.err, QE_LIMIT);
	assert_buf(&b, "abcd");
	/* What would fit is not added after something was lost. */
	buf_truncate(&b, 0);
	buf_add_char(&b, 'x');
	buf_addf(&b, "x");
	buf_add_lower(&b, STRV("X"));
	assert_int_equal(b.len, 0);
	assert_null(buf_cstr(&b));
	assert_null(buf_reserve(&b, 0));
	buf_reset(&b);
	buf_addf(&b, "%s", "wxyz");
	assert_int_equal(b.err, 0);
	assert_buf(&b, "wxyz");
	buf_addf(&b, "%s", "z");
	assert_int_equal(b.err, QE_LIMIT);
	buf_free(&b);
}

static void
test_buf_begins_in_an_array(void **state)
{
	char room[8];
	struct buf b = BUF_IN(room, 20);

	(void)state;
	assert_buf(&b, "");
	buf_add_str(&b, "1234567");
	assert_ptr_equal(b.data, room);
	assert_string_equal(buf_cstr(&b), "1234567");
	assert_ptr_equal(b.data, room);
	/* One more, and it moves; nothing stays behind. */
	buf_add_char(&b, '8');
	assert_ptr_not_equal(b.data, room);
	assert_buf(&b, "12345678");
	for (size_t i = 0; i < sizeof(room); i++)
		assert_int_equal(room[i], 0);
	buf_add_str(&b, "901234567890x");
	assert_int_equal(b.err, QE_LIMIT);
	buf_free(&b);
	assert_null(b.data);
	/* Free, it is as any other. */
	buf_add_str(&b, "abc");
	assert_ptr_not_equal(b.data, room);
	assert_buf(&b, "abc");
	buf_free(&b);
}

static void
test_buf_free_leaves_the_array(void **state)
{
	char room[8];
	struct buf b = BUF_IN(room, 0);

	(void)state;
	buf_add_str(&b, "secret");
	buf_free_secret(&b);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
	for (size_t i = 0; i < sizeof(room); i++)
		assert_int_equal(room[i], 0);
	assert_non_null(buf_reserve(&b, 4));
	buf_free(&b);
}

static void
test_buf_limit_zero_is_the_default(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_non_null(buf_reserve(&b, BUF_MAX_DEFAULT));
	assert_null(buf_reserve(&b, BUF_MAX_DEFAULT + 1));
	assert_int_equal(b.err, QE_LIMIT);
	buf_free(&b);
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_free(&b);
	buf_add_char(&b, 'a');
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_free(&b);
}

static void
test_buf_cstr(void **state)
{
	struct buf b = BUF_LIMIT(3);

	(void)state;
	assert_string_equal(buf_cstr(&b), "");
	buf_add_str(&b, "abc");
	assert_string_equal(buf_cstr(&b), "abc");
	assert_int_equal(b.len, 3);
	buf_free(&b);
}

static void
test_buf_consume_and_truncate(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_consume(&b, 0);
	buf_add_str(&b, "hello");
	buf_consume(&b, 2);
	assert_buf(&b, "llo");
	buf_truncate(&b, 1);
	assert_buf(&b, "l");
	buf_consume(&b, 1);
	assert_int_equal(b.len, 0);
	buf_free_secret(&b);
	assert_int_equal(b.cap, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_grows),
		cmocka_unit_test(test_buf_adds_every_kind),
		cmocka_unit_test(test_buf_limit_is_exact_and_sticks),
		cmocka_unit_test(test_buf_begins_in_an_array),
		cmocka_unit_test(test_buf_free_leaves_the_array),
		cmocka_unit_test(test_buf_limit_zero_is_the_default),
		cmocka_unit_test(test_buf_cstr),
		cmocka_unit_test(test_buf_consume_and_truncate),
	};

	return RUN_TESTS(tests);
}
