/* Both ends of lock/trigger. */
#include "scratch.h"
#include "spool/trigger.h"

enum { MANY = 64 };

static int
enter(void **state)
{
	if (scratch_enter(state) != 0 || mkdir("lock", 0700) != 0)
		return -1;
	return mkfifo("lock/trigger", 0622);
}

static void
put(const struct trigger *t, const char *bytes, size_t n)
{
	assert_int_equal(write(t->keep_fd, bytes, n), (ssize_t)n);
}

static void
test_ids(void **state)
{
	struct trigger t;
	uint64_t ids[MANY];
	bool scan = false;

	(void)state;
	trigger_pull(5); /* nobody listens */
	assert_int_equal(trigger_open(&t), 0);
	assert_int_equal(trigger_read(&t, ids, MANY, &scan), 0);
	trigger_pull(1106519);
	trigger_pull(UINT64_MAX);
	assert_int_equal(trigger_read(&t, ids, MANY, &scan), 2);
	assert_int_equal(ids[0], 1106519);
	assert_true(ids[1] == UINT64_MAX);
	assert_false(scan);
	trigger_close(&t);
	assert_int_equal(t.fd, -1);
}

static void
test_foreign_puller(void **state)
{
	struct trigger t;
	uint64_t ids[MANY];
	bool scan = false;

	(void)state;
	assert_int_equal(trigger_open(&t), 0);
	trigger_pull(7);
	put(&t, "\0", 1);
	trigger_pull(8);
	assert_int_equal(trigger_read(&t, ids, MANY, &scan), 2);
	assert_int_equal(ids[0], 7);
	assert_int_equal(ids[1], 8);
	assert_true(scan);
	trigger_close(&t);
}

static void
test_garbage(void **state)
{
	static const char *const bad[] = { "x", "12a", "0", "012",
		"184467440737095516150", "-5",
		"1111111111111111111111111111111111111111111111111111111111" };
	struct trigger t;
	uint64_t ids[MANY];

	(void)state;
	assert_int_equal(trigger_open(&t), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		bool scan = false;

		put(&t, bad[i], strlen(bad[i]) + 1);
		trigger_pull(9);
		assert_int_equal(trigger_read(&t, ids, MANY, &scan), 1);
		assert_int_equal(ids[0], 9);
		assert_true(scan);
	}
	trigger_close(&t);
}

static void
test_id_in_two_pieces(void **state)
{
	struct trigger t;
	uint64_t ids[MANY];
	bool scan = false;

	(void)state;
	assert_int_equal(trigger_open(&t), 0);
	put(&t, "110", 3);
	assert_int_equal(trigger_read(&t, ids, MANY, &scan), 0);
	put(&t,
	    "6519\0"
	    "4",
	    6);
	assert_int_equal(trigger_read(&t, ids, MANY, &scan), 1);
	assert_int_equal(ids[0], 1106519);
	put(&t, "\0", 1);
	assert_int_equal(trigger_read(&t, ids, MANY, &scan), 1);
	assert_int_equal(ids[0], 4);
	assert_false(scan);
	trigger_close(&t);
}

/* However few ids the reader takes at a time, none is lost or invented. */
static void
test_small_reads(void **state)
{
	struct trigger t;
	uint64_t ids[3], next = 1;
	bool scan = false;

	(void)state;
	assert_int_equal(trigger_open(&t), 0);
	for (uint64_t id = 1; id <= 500; id++)
		trigger_pull(id);
	for (int i = 0; i < 5000 && next <= 500; i++) {
		unsigned n = trigger_read(&t, ids, 3, &scan);

		for (unsigned k = 0; k < n; k++)
			assert_int_equal(ids[k], next++);
	}
	assert_int_equal(next, 501);
	assert_false(scan);
	trigger_close(&t);
}

/* A pull that found the FIFO full is made good by a search. */
static void
test_full(void **state)
{
	struct trigger t;
	uint64_t ids[MANY], most = 0;
	bool scan = false;

	(void)state;
	assert_int_equal(trigger_open(&t), 0);
	for (uint64_t id = 1; id <= 20000; id++)
		trigger_pull(UINT64_MAX / 2 + id);
	while (trigger_read(&t, ids, MANY, &scan) > 0)
		most = ids[0];
	assert_true(most < UINT64_MAX / 2 + 20000); /* it was too small */
	assert_true(scan);
	scan = false;
	trigger_pull(3);
	assert_int_equal(trigger_read(&t, ids, MANY, &scan), 1);
	assert_false(scan);
	trigger_close(&t);
}

static void
test_no_fifo(void **state)
{
	struct trigger t;

	(void)state;
	assert_int_equal(unlink("lock/trigger"), 0);
	assert_int_not_equal(trigger_open(&t), 0);
	scratch_write("lock/trigger", "", 0, 0600);
	assert_int_not_equal(trigger_open(&t), 0);
	assert_int_equal(t.fd, -1);
}

#define IN_SCRATCH(f) cmocka_unit_test_setup_teardown(f, enter, scratch_leave)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_ids),
		IN_SCRATCH(test_foreign_puller),
		IN_SCRATCH(test_garbage),
		IN_SCRATCH(test_id_in_two_pieces),
		IN_SCRATCH(test_small_reads),
		IN_SCRATCH(test_full),
		IN_SCRATCH(test_no_fifo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
