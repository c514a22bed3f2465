/* mail/date: three forms, checked against the C library's calendar. */
#include "mail/date.h"
#include "unit.h"

#include <time.h>

static void
test_date_forms(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	date_add_822(&b, 1795310305);
	assert_buf(&b, "22 Nov 2026 01:18:25 -0000");
	buf_reset(&b);
	date_add_ctime(&b, 1795310305);
	assert_buf(&b, "Sun Nov 22 01:18:25 2026");
	buf_reset(&b);
	date_add_compact(&b, 1795310305);
	assert_buf(&b, "20261122011825");
	buf_free(&b);
}

static void
test_date_pads_the_day_in_ctime_only(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	date_add_822(&b, 0);
	assert_buf(&b, "1 Jan 1970 00:00:00 -0000");
	buf_reset(&b);
	date_add_ctime(&b, 0);
	assert_buf(&b, "Thu Jan 01 00:00:00 1970");
	buf_free(&b);
}

static void
test_date_agrees_with_the_library(void **state)
{
	(void)state;
	for (int64_t t = -2208988800; t < 7258118400; t += 86399 * 7 + 1) {
		struct buf b = BUF_INIT;
		char want[64];
		struct tm tm;
		time_t when = (time_t)t;

		assert_non_null(gmtime_r(&when, &tm));
		strftime(want, sizeof(want), "%a %b %d %H:%M:%S %Y", &tm);
		date_add_ctime(&b, t);
		assert_same(buf_view(&b), strv_of(want));
		buf_reset(&b);
		strftime(want, sizeof(want), "%Y%m%d%H%M%S", &tm);
		date_add_compact(&b, t);
		assert_same(buf_view(&b), strv_of(want));
		buf_free(&b);
	}
}

static void
test_date_leap_days(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	date_add_compact(&b, 951782400);
	assert_buf(&b, "20000229000000");
	buf_reset(&b);
	date_add_compact(&b, 4107542399);
	assert_buf(&b, "21000228235959");
	buf_reset(&b);
	date_add_compact(&b, 4107542400);
	assert_buf(&b, "21000301000000");
	buf_free(&b);
}

/* Nonsense from a file's time stamp must not be undefined behaviour. */
static void
test_date_survives_extremes(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	date_add_822(&b, INT64_MAX);
	date_add_ctime(&b, INT64_MIN);
	date_add_compact(&b, -1);
	assert_int_equal(b.err, 0);
	buf_free(&b);
}

static void
test_date_to_day_counts_every_day(void **state)
{
	struct buf b = BUF_INIT;
	int64_t day;

	(void)state;
	/* From the year 1600 to 2500, as the other direction counts them. */
	for (int64_t n = -135140; n < 193900; n++) {
		uint64_t number;

		buf_reset(&b);
		date_add_compact(&b, n * 86400);
		assert_int_equal(strv_to_u64(strv_head(buf_view(&b), 8),
				     UINT64_MAX, &number),
		    0);
		assert_int_equal(date_to_day((int64_t)(number / 10000),
				     (unsigned)(number / 100 % 100),
				     (unsigned)(number % 100), &day),
		    0);
		assert_int_equal(day, n);
	}
	buf_free(&b);
}

static void
test_date_to_day_knows_the_calendar(void **state)
{
	static const unsigned short wrong[][3] = {
		{2026,   0,  1 },
                { 2026,  13, 1 },
                { 2026,  1,  0 },
		{ 2026,  1,  32},
                { 2026,  2,  29},
                { 2024,  2,  30},
		{ 2100,  2,  29},
                { 2026,  4,  31},
                { 2026,  99, 99},
                { 0,     0,  0 },
		{ 10000, 1,  1 }
	};
	int64_t day = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(
		    date_to_day(wrong[i][0], wrong[i][1], wrong[i][2], &day),
		    QE_SYNTAX);
	assert_int_equal(day, 7);
	assert_int_equal(date_to_day(2000, 2, 29, &day), 0);
	assert_int_equal(day, 11016);
	assert_int_equal(date_to_day(0, 1, 1, &day), 0);
	assert_int_equal(date_to_day(9999, 12, 31, &day), 0);
	assert_int_equal(date_to_day(-1, 12, 31, &day), QE_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_date_forms),
		cmocka_unit_test(test_date_pads_the_day_in_ctime_only),
		cmocka_unit_test(test_date_agrees_with_the_library),
		cmocka_unit_test(test_date_leap_days),
		cmocka_unit_test(test_date_survives_extremes),
		cmocka_unit_test(test_date_to_day_counts_every_day),
		cmocka_unit_test(test_date_to_day_knows_the_calendar),
	};

	return RUN_TESTS(tests);
}
