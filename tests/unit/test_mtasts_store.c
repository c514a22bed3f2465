/* Unit tests of remote/mtasts_store.c: what is forgotten first. */
#include "remote/mtasts_store.h"
#include "scratch.h"

#include <sys/stat.h>
#include <time.h>

enum { DAY = 86400 };

static int64_t now;

static int
setup(void **state)
{
	now = time(NULL);
	assert_int_equal(scratch_enter(state), 0);
	assert_int_equal(mkdir("cache", 0700), 0);
	assert_int_equal(mkdir("cache/remote", 0700), 0);
	return mkdir("cache/remote/mtasts", 0700);
}

static void
put(const char *name, bool is_policy, int64_t age)
{
	static const char text[] = "version: STSv1\nmode: enforce\n"
				   "mx: mx.example\nmax_age: 86400\n";
	struct mtasts_entry entry = { .checked = now - age,
		.fetched = is_policy ? now - age : 0,
		.id = STRV("1"),
		.text = strv_of(text) };
	const struct timespec times[2] = {
		{now - age,  0},
                { now - age, 0}
	};
	char path[128];

	assert_int_equal(mtasts_store(name, &entry), 0);
	snprintf(path, sizeof(path), "cache/remote/mtasts/%s", name);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool
has(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "cache/remote/mtasts/%s", name);
	return access(path, F_OK) == 0;
}

static void
test_old_ones_go(void **state)
{
	(void)state;
	put("none.example", false, 3 * DAY);
	put("fresh.example", false, DAY);
	put("policy.example", true, 399 * DAY);
	put("ancient.example", true, 401 * DAY);
	put(".new.17", true, DAY);
	put(".new.18", true, 60);
	mtasts_prune(now, 100);
	assert_false(has("none.example"));
	assert_true(has("fresh.example"));
	assert_true(has("policy.example"));
	assert_false(has("ancient.example"));
	assert_false(has(".new.17"));
	assert_true(has(".new.18"));
}

/* Whatever order the directory has. */
static void
test_those_of_least_use_go_first(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < 300; i++) {
		int n = i * 7 % 300;

		snprintf(name, sizeof(name), "p%d.example", n);
		put(name, true, 1000 + n);
		snprintf(name, sizeof(name), "n%d.example", n);
		put(name, false, n);
	}
	mtasts_prune(now, 400);
	for (int n = 0; n < 300; n++) {
		snprintf(name, sizeof(name), "p%d.example", n);
		assert_true(has(name));
		snprintf(name, sizeof(name), "n%d.example", n);
		assert_int_equal(has(name), n < 100);
	}
	mtasts_prune(now, 20);
	for (int n = 0; n < 300; n++) {
		snprintf(name, sizeof(name), "p%d.example", n);
		assert_int_equal(has(name), n < 20);
	}
	assert_false(has("n0.example"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_old_ones_go, setup, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_those_of_least_use_go_first, setup, scratch_leave),
	};

	return RUN_TESTS(tests);
}
