/* conf/rate_limit, smtpd/rate_record: how much a login may send. */
#include "conf/rate_limit.h"
#include "smtpd/rate_record.h"
#include "unit.h"

static const struct rate_limit three = { .recipients = 3, .seconds = 60 };

static void
test_rate_record_round_trip(void **state)
{
	struct rate_record r = { .count = 0 };
	struct buf text = BUF_INIT;

	(void)state;
	assert_int_equal(rate_record_parse(STRV_EMPTY, &r), 0);
	assert_int_equal(r.count, 0);
	assert_int_equal(rate_record_parse(STRV("100 2\n101 1\nend\n"), &r), 0);
	assert_int_equal(r.count, 2);
	assert_int_equal(r.slots[1].start, 101);
	rate_record_format(&r, &text);
	assert_buf(&text, "100 2\n101 1\nend\n");
	buf_free(&text);
}

static void
test_rate_record_refuses(void **state)
{
	static const char *const wrong[] = { "100 2\n", "end", "100 2\nend",
		"100\nend\n", "100 x\nend\n", "-1 2\nend\n", "100 2\nend\nx",
		"100 2\nend\nend\n", "\nend\n", "100 99999999999\nend\n",
		"99999999999999999999 1\nend\n" };
	struct buf many = BUF_INIT;
	struct rate_record r;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(
		    rate_record_parse(strv_of(wrong[i]), &r), QE_CORRUPT);
	for (int i = 0; i <= RATE_SLOTS; i++)
		buf_add_str(&many, "1 1\n");
	buf_add_str(&many, "end\n");
	assert_int_equal(rate_record_parse(buf_view(&many), &r), QE_CORRUPT);
	buf_free(&many);
}

static void
test_rate_record_takes_so_many(void **state)
{
	struct rate_record r = { .count = 0 };

	(void)state;
	assert_true(rate_record_take(&r, &three, 1000));
	assert_true(rate_record_take(&r, &three, 1000));
	assert_true(rate_record_take(&r, &three, 1030));
	assert_false(rate_record_take(&r, &three, 1031));
	assert_false(rate_record_take(&r, &three, 1059));
	/* The first two are past; the third is not. */
	assert_true(rate_record_take(&r, &three, 1064));
	assert_true(rate_record_take(&r, &three, 1064));
	assert_false(rate_record_take(&r, &three, 1064));
	/* The clock was put back: what was sent still counts. */
	assert_false(rate_record_take(&r, &three, 500));
	assert_true(rate_record_take(&r, &three, 570));
}

/* Never more than allowed in any such time, and never a slot too many. */
static void
test_rate_record_holds_for_every_window(void **state)
{
	const struct rate_limit limit = { .recipients = 50, .seconds = 1000 };
	static int64_t taken[4000];
	struct rate_record r = { .count = 0 };
	size_t count = 0, first = 0;
	uint32_t seed = 3;
	int64_t now = 100000;

	(void)state;
	for (int i = 0; i < 4000; i++) {
		now += unit_random(&seed) % 20;
		if (rate_record_take(&r, &limit, now))
			taken[count++] = now;
		assert_true(r.count <= RATE_SLOTS);
		while (first < count && taken[first] <= now - 1000)
			first++;
		assert_true(count - first <= 50);
	}
	assert_true(count > 1000);
}

static void
test_rate_record_names(void **state)
{
	struct buf name = BUF_INIT;
	char longest[300];

	(void)state;
	rate_record_name(STRV("Joe.B@a.example"), &name);
	assert_buf(&name, "joe.b@a.example");
	buf_reset(&name);
	rate_record_name(STRV("../x\n"), &name);
	assert_buf(&name, "=2e.=2fx=0a");
	buf_reset(&name);
	memset(longest, '/', sizeof(longest));
	rate_record_name(strv_from(longest, sizeof(longest)), &name);
	assert_true(name.len < 255);
	buf_free(&name);
}

static void
test_rate_take_is_kept_on_disk(void **state)
{
	char dir[64], here[1024];
	struct buf bytes;

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	unit_make_dir(dir);
	assert_int_equal(chdir(dir), 0);
	/* No directory: nothing can be counted. */
	assert_int_equal(rate_take(STRV("joe"), &three, 1000), QE_SYS);
	assert_int_equal(mkdir("cache", 0700), 0);
	assert_int_equal(mkdir("cache/ratelimit", 0700), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rate_take(STRV("joe"), &three, 1000), 0);
	assert_int_equal(rate_take(STRV("joe"), &three, 1001), QE_LIMIT);
	assert_int_equal(rate_take(STRV("jane"), &three, 1001), 0);
	bytes = unit_read("cache/ratelimit/joe");
	assert_buf(&bytes, "1000 3\nend\n");
	buf_free(&bytes);
	/* Half a record: as if it were used up, and then good again. */
	unit_write("cache/ratelimit/joe", STRV("1000 2\n10"));
	assert_int_equal(rate_take(STRV("joe"), &three, 2000), QE_CORRUPT);
	assert_int_equal(rate_take(STRV("joe"), &three, 2001), QE_LIMIT);
	assert_int_equal(rate_take(STRV("joe"), &three, 2070), 0);
	assert_int_equal(symlink("/etc/passwd", "cache/ratelimit/eve"), 0);
	assert_int_equal(rate_take(STRV("eve"), &three, 1000), QE_SYS);
	assert_int_equal(chdir(here), 0);
	unit_remove(dir);
}

static int
load(const char *text, struct rate_limit *limit)
{
	struct control_error err;

	unit_write("control/auth/ratelimit", strv_of(text));
	return rate_limit_load(limit, &err);
}

static void
test_rate_limit_load(void **state)
{
	static const char *const wrong[] = { "5\n", "5/\n", "/5\n", "0/5\n",
		"5/0\n", "a/5\n", "5/5/5\n", "-1/5\n" };
	char dir[64], here[1024];
	struct rate_limit limit = { 7, 7 };
	struct control_error err;

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	unit_make_dir(dir);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(rate_limit_load(&limit, &err), 0);
	assert_int_equal(limit.recipients, 0);
	assert_int_equal(mkdir("control", 0700), 0);
	assert_int_equal(mkdir("control/auth", 0700), 0);
	assert_int_equal(load("100 / 3600 # an hour\n", &limit), 0);
	assert_int_equal(limit.recipients, 100);
	assert_int_equal(limit.seconds, 3600);
	assert_int_equal(load("\n", &limit), 0);
	assert_int_equal(limit.recipients, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_true(load(wrong[i], &limit) != 0);
	assert_int_equal(chdir(here), 0);
	unit_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_record_round_trip),
		cmocka_unit_test(test_rate_record_refuses),
		cmocka_unit_test(test_rate_record_takes_so_many),
		cmocka_unit_test(test_rate_record_holds_for_every_window),
		cmocka_unit_test(test_rate_record_names),
		cmocka_unit_test(test_rate_take_is_kept_on_disk),
		cmocka_unit_test(test_rate_limit_load),
	};

	return RUN_TESTS(tests);
}
