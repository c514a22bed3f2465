/* Since when a client may be waiting. */
#include "base/clock.h"
#include "smtpd/arrival.h"
#include "unit.h"

#include <sys/socket.h>

enum { PAUSE_MS = 60 };

static int ends[2];
static char storage[4];
static struct source in;
static struct arrival arrival;

static int
setup(void **state)
{
	(void)state;
	source_init(&in, -1, storage, sizeof(storage));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -1;
	in.fd = ends[0];
	arrival_init(&arrival);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	io_close(&ends[0]);
	io_close(&ends[1]);
	return 0;
}

/* Reads once, and takes what was read. */
static void
fill(void)
{
	arrival_before(&arrival, &in);
	assert_int_equal(source_fill(&in, IO_FOREVER), 0);
	arrival_after(&arrival, &in);
	source_take(&in, source_peek(&in).len);
}

static void
test_what_waits_came_since_the_last_look(void **state)
{
	int64_t start = clock_mono_ms();

	(void)state;
	assert_int_equal(write(ends[1], "abcdefgh", 8), 8);
	clock_sleep_ms(PAUSE_MS);
	/* It may have come at once. */
	fill();
	assert_true(arrival.oldest_ms <= start);
	clock_sleep_ms(PAUSE_MS);
	fill();
	assert_true(arrival.oldest_ms <= start);
}

static void
test_what_comes_behind_it_is_younger(void **state)
{
	int64_t start = clock_mono_ms();

	(void)state;
	assert_int_equal(write(ends[1], "abcdefgh", 8), 8);
	clock_sleep_ms(PAUSE_MS);
	fill();
	assert_int_equal(write(ends[1], "ij", 2), 2);
	fill(); /* the other half of the eight */
	clock_sleep_ms(PAUSE_MS);
	fill();
	assert_true(arrival.oldest_ms >= start + PAUSE_MS);
	assert_true(arrival.oldest_ms <= clock_mono_ms() - PAUSE_MS);
}

static void
test_nothing_waited(void **state)
{
	int64_t before;

	(void)state;
	assert_int_equal(write(ends[1], "ab", 2), 2);
	fill();
	clock_sleep_ms(PAUSE_MS);
	/* The kernel is asked here and has nothing. */
	arrival_before(&arrival, &in);
	before = clock_mono_ms();
	assert_int_equal(write(ends[1], "c", 1), 1);
	assert_int_equal(source_fill(&in, IO_FOREVER), 0);
	arrival_after(&arrival, &in);
	assert_true(arrival.oldest_ms >= before);
}

static void
test_no_read_no_change(void **state)
{
	struct arrival then;

	(void)state;
	assert_int_equal(write(ends[1], "abc", 3), 3);
	arrival_before(&arrival, &in);
	assert_int_equal(source_fill(&in, IO_FOREVER), 0);
	arrival_after(&arrival, &in);
	source_take(&in, 1);
	then = arrival;
	clock_sleep_ms(PAUSE_MS);
	arrival_before(&arrival, &in);
	assert_int_equal(source_fill(&in, IO_FOREVER), 0);
	arrival_after(&arrival, &in);
	assert_memory_equal(&then, &arrival, sizeof(then));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_what_waits_came_since_the_last_look, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_what_comes_behind_it_is_younger, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_nothing_waited, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_no_read_no_change, setup, teardown),
	};

	return RUN_TESTS(tests);
}
