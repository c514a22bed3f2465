/* send/record and send/dirwalk: records on disk, and ids found there. */
#include "scratch.h"
#include "send/dirwalk.h"
#include "send/record.h"

static const struct queue_layout layout = { 3, false };

static void
make_queue(void)
{
	static const char *const tops[] = { "info", "local", "remote" };

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(mkdir(tops[i], 0700), 0);
		for (int k = 0; k < 3; k++) {
			char path[32];

			snprintf(path, sizeof(path), "%s/%d", tops[i], k);
			assert_int_equal(mkdir(path, 0700), 0);
		}
	}
	assert_int_equal(mkdir("todo", 0700), 0);
}

static void
expect_file(const char *path, struct strv want)
{
	struct buf got = unit_read(path);

	assert_same(buf_view(&got), want);
	buf_free(&got);
}

static int
write_example(bool replace)
{
	struct record r = { 0 };
	int result;

	record_begin(&r, &layout, 100, replace);
	record_add_recipient(&r, CHANNEL_LOCAL, 'T', STRV("a@b"));
	record_add_recipient(&r, CHANNEL_LOCAL, 'D', STRV("c@d"));
	record_end(&r, STRV("s@x"), 1000000000);
	assert_int_equal(record_channels(&r), 1);
	record_hurry(&r);
	result = record_commit(&r);
	for (int c = 0; c < CHANNEL_COUNT; c++)
		buf_free(&r.pending[c]);
	if (result != 0)
		assert_non_null(r.problem);
	return result;
}

static void
expect_example(void)
{
	struct stat st;

	expect_file("info/1/100", STRV("Fs@x\0"));
	expect_file("local/1/100", STRV("Ta@b\0Dc@d\0"));
	assert_int_equal(access("remote/1/100", F_OK), -1);
	assert_int_equal(stat("info/1/100", &st), 0);
	assert_int_equal(st.st_mtime, 1000000000);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
test_record_writes(void **state)
{
	(void)state;
	make_queue();
	assert_int_equal(write_example(false), 0);
	expect_example();
}

static void
test_record_replaces_leftovers(void **state)
{
	(void)state;
	make_queue();
	unit_write("info/1/100", STRV("Fold\0"));
	unit_write("local/1/100", STRV("Told@x\0Told@y\0Told@z\0"));
	unit_write("remote/1/100", STRV("Told@r\0"));
	assert_int_equal(write_example(true), 0);
	expect_example();
	assert_int_equal(access("local/1/100.new", F_OK), -1);
	unit_write("local/1/100", STRV("Told@x\0Told@y\0Told@z\0"));
	unit_write("remote/1/100", STRV("Told@r\0"));
	assert_int_equal(write_example(false), 0);
	expect_example();
}

static void
test_record_failure_leaves_nothing(void **state)
{
	(void)state;
	make_queue();
	assert_int_equal(rmdir("info/1"), 0);
	assert_int_equal(write_example(false), QE_SYS);
	assert_int_equal(access("local/1/100", F_OK), -1);
	unit_write("local/1/100", STRV("Told@x\0"));
	assert_int_equal(write_example(true), QE_SYS);
	expect_file("local/1/100", STRV("Told@x\0"));
	assert_int_equal(access("local/1/100.new", F_OK), -1);
}

static void
test_record_large_list(void **state)
{
	struct record r = { 0 };
	struct buf want = BUF_LIMIT(8 << 20), got;

	(void)state;
	make_queue();
	record_begin(&r, &layout, 7, false);
	for (int i = 0; i < 50000; i++) {
		char address[32];

		snprintf(address, sizeof(address), "user%d@remote", i);
		record_add(&want, 'T', strv_of(address));
		record_add_recipient(&r, CHANNEL_REMOTE, 'T', strv_of(address));
	}
	record_end(&r, STRV(""), 5);
	assert_int_equal(record_channels(&r), 2);
	assert_int_equal(record_commit(&r), 0);
	got = unit_read("remote/1/7");
	assert_same(buf_view(&got), buf_view(&want));
	buf_free(&got);
	buf_free(&want);
	for (int c = 0; c < CHANNEL_COUNT; c++)
		buf_free(&r.pending[c]);
}

static void
test_dirwalk_finds_ids(void **state)
{
	struct dirwalk w;
	uint64_t id, sum = 0;
	int r, count = 0;

	(void)state;
	make_queue();
	unit_write("info/0/3", STRV(""));
	unit_write("info/1/100", STRV(""));
	unit_write("info/1/100.new", STRV(""));
	unit_write("info/2/x", STRV(""));
	unit_write("info/2/5", STRV(""));
	dirwalk_begin(&w, &layout, QUEUE_INFO);
	while ((r = dirwalk_next(&w, &id)) != QE_EOF) {
		assert_true(r == 0 || r == QE_ABSENT);
		if (r == 0) {
			sum += id;
			count++;
		}
	}
	assert_int_equal(count, 3);
	assert_int_equal(sum, 108);
	unit_write("todo/77", STRV(""));
	dirwalk_begin(&w, &layout, QUEUE_TODO);
	while ((r = dirwalk_next(&w, &id)) == QE_ABSENT)
		continue;
	assert_int_equal(r, 0);
	assert_int_equal(id, 77);
	dirwalk_end(&w);
}

static void
test_dirwalk_tries_again(void **state)
{
	struct dirwalk w;
	uint64_t id;
	int r;

	(void)state;
	make_queue();
	unit_write("info/2/5", STRV(""));
	assert_int_equal(rename("info/1", "info/away"), 0);
	dirwalk_begin(&w, &layout, QUEUE_INFO);
	while ((r = dirwalk_next(&w, &id)) == QE_ABSENT)
		continue;
	assert_int_equal(r, QE_SYS);
	assert_string_equal(w.path, "info/1");
	assert_int_equal(dirwalk_next(&w, &id), QE_SYS);
	assert_int_equal(rename("info/away", "info/1"), 0);
	while ((r = dirwalk_next(&w, &id)) == QE_ABSENT)
		continue;
	assert_int_equal(r, 0);
	assert_int_equal(id, 5);
	dirwalk_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define SCRATCH_TEST(f)                                                        \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)
		SCRATCH_TEST(test_record_writes),
		SCRATCH_TEST(test_record_replaces_leftovers),
		SCRATCH_TEST(test_record_failure_leaves_nothing),
		SCRATCH_TEST(test_record_large_list),
		SCRATCH_TEST(test_dirwalk_finds_ids),
		SCRATCH_TEST(test_dirwalk_tries_again),
	};

	return RUN_TESTS(tests);
}
