/* Unit tests of base/cdb.c: good files, damaged files, files in change. */
#include "base/cdb.h"
#include "base/file.h"
#include "scratch.h"

enum { KEYS = 300 };

/* key0 to key299, each with the value "value<n>"; key7 a second time. */
static void
make_cdb(const char *name)
{
	struct cdb_writer *writer;
	char key[16], value[16];

	assert_int_equal(cdb_writer_open("cdb.tmp", 0640, &writer), 0);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		snprintf(value, sizeof(value), "value%d", i);
		assert_int_equal(
		    cdb_writer_add(writer, strv_of(key), strv_of(value)), 0);
	}
	assert_int_equal(cdb_writer_add(writer, STRV("key7"), STRV("late")), 0);
	assert_int_equal(cdb_writer_add(writer, STRV(""), STRV("-\0")), 0);
	assert_int_equal(cdb_writer_commit(&writer, name), 0);
	assert_null(writer);
}

/* Values longer than what is read with the key; keys that share a start. */
static void
test_seek_keep_check(void **state)
{
	static char big[70000];
	struct cdb_reader *reader;
	struct cdb_writer *writer;
	struct strv value, kept, again;
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	(void)state;
	memset(big, 'b', sizeof(big));
	assert_int_equal(cdb_writer_open("cdb.tmp", 0640, &writer), 0);
	assert_int_equal(
	    cdb_writer_add(writer, STRV("big"), strv_from(big, sizeof(big))),
	    0);
	assert_int_equal(cdb_writer_add(writer, STRV(""), STRV("kept")), 0);
	for (int i = 0; i < KEYS; i++)
		assert_int_equal(cdb_writer_add(writer, STRV("same"),
				     strv_from(big, (size_t)i)),
		    0);
	assert_int_equal(cdb_writer_commit(&writer, "cdb"), 0);
	assert_int_equal(cdb_reader_open("cdb", &reader), 0);
	assert_int_equal(cdb_reader_keep(reader, STRV(""), &kept), 0);
	assert_int_equal(cdb_reader_seek(reader, STRV("big"), &value), 0);
	assert_true(strv_eq(value, strv_from(big, sizeof(big))));
	assert_int_equal(cdb_reader_seek(reader, STRV("same"), &value), 0);
	assert_int_equal(value.len, 0);
	assert_int_equal(
	    cdb_reader_seek(reader, STRV("bi"), &value), QE_ABSENT);
	assert_int_equal(
	    cdb_reader_seek(reader, strv_from(big, sizeof(big)), &value),
	    QE_ABSENT);
	assert_true(strv_eq(kept, STRV("kept")));
	assert_int_equal(cdb_reader_keep(reader, STRV(""), &again), 0);
	assert_ptr_equal(again.ptr, kept.ptr);
	assert_int_equal(cdb_reader_check(reader), 0);
	assert_int_equal(utimensat(AT_FDCWD, "cdb", times, 0), 0);
	assert_int_equal(cdb_reader_check(reader), QE_CORRUPT);
	cdb_reader_free(&reader);
}

static void
test_find(void **state)
{
	struct cdb_reader *reader;
	struct strv value;
	struct stat st;

	(void)state;
	make_cdb("cdb");
	assert_int_equal(stat("cdb", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(access("cdb.tmp", F_OK), -1);
	assert_int_equal(cdb_reader_open("cdb", &reader), 0);
	assert_int_equal(cdb_reader_find(reader, STRV("key299"), &value), 0);
	assert_true(strv_eq(value, STRV("value299")));
	assert_int_equal(cdb_reader_find(reader, STRV("key7"), &value), 0);
	assert_true(strv_eq(value, STRV("value7")));
	assert_int_equal(cdb_reader_find(reader, STRV(""), &value), 0);
	assert_true(strv_eq(value, STRV("-\0")));
	assert_int_equal(
	    cdb_reader_find(reader, STRV("key300"), &value), QE_ABSENT);
	assert_false(cdb_reader_is_stale(reader, "cdb"));
	cdb_reader_free(&reader);
	assert_null(reader);
	cdb_reader_free(&reader);
}

static void
test_open_failures(void **state)
{
	struct cdb_reader *reader = NULL;

	(void)state;
	assert_int_equal(cdb_reader_open("absent", &reader), QE_ABSENT);
	assert_int_equal(cdb_reader_open("cdb/x", &reader), QE_SYS);
	assert_int_equal(cdb_reader_open("/", &reader), QE_CORRUPT);
	assert_null(reader);
}

/* Opens "damaged" and looks for a key: what the first failing step says. */
static int
look(const char *key, struct strv expected)
{
	struct cdb_reader *reader;
	struct strv value;
	int r = cdb_reader_open("damaged", &reader);

	if (r != 0)
		return r;
	r = cdb_reader_find(reader, strv_of(key), &value);
	if (r == 0)
		assert_true(strv_eq(value, expected));
	cdb_reader_free(&reader);
	return r;
}

static void
test_every_truncation_is_corrupt(void **state)
{
	struct buf whole = BUF_INIT;

	(void)state;
	make_cdb("cdb");
	assert_int_equal(file_read("cdb", &whole), 0);
	for (size_t n = 0; n < whole.len; n += n < 2200 ? 37 : 211) {
		unit_write("damaged", strv_head(buf_view(&whole), n));
		assert_int_equal(look("key5", STRV("value5")), QE_CORRUPT);
	}
	unit_write("damaged", strv_head(buf_view(&whole), whole.len - 1));
	assert_int_equal(look("key5", STRV("value5")), QE_CORRUPT);
	unit_write("damaged", buf_view(&whole));
	assert_int_equal(look("key5", STRV("value5")), 0);
	buf_add_char(&whole, 'x');
	unit_write("damaged", buf_view(&whole));
	assert_int_equal(look("key5", STRV("value5")), QE_CORRUPT);
	buf_free(&whole);
}

static void
test_zeroes_are_corrupt(void **state)
{
	static const char zeroes[4096];

	(void)state;
	unit_write("damaged", strv_from(zeroes, 0));
	assert_int_equal(look("key5", STRV("value5")), QE_CORRUPT);
	unit_write("damaged", strv_from(zeroes, 2048));
	assert_int_equal(look("key5", STRV("value5")), QE_CORRUPT);
	unit_write("damaged", strv_from(zeroes, sizeof(zeroes)));
	assert_int_equal(look("key5", STRV("value5")), QE_CORRUPT);
}

/* Lengths and positions blown up, one byte at a time: never a wild read. */
static void
test_flipped_bytes_end_in_a_code(void **state)
{
	struct buf whole = BUF_INIT;

	(void)state;
	make_cdb("cdb");
	assert_int_equal(file_read("cdb", &whole), 0);
	for (size_t i = 0; i < whole.len; i += 13) {
		struct cdb_reader *reader;
		struct strv value;

		whole.data[i] ^= (char)0xff;
		unit_write("damaged", buf_view(&whole));
		whole.data[i] ^= (char)0xff;
		if (cdb_reader_open("damaged", &reader) != 0)
			continue;
		for (int k = 0; k < 20; k++) {
			char key[16];

			snprintf(key, sizeof(key), "key%d", k);
			if (cdb_reader_find(reader, strv_of(key), &value) == 0)
				assert_true(value.len < whole.len);
		}
		cdb_reader_free(&reader);
	}
	buf_free(&whole);
}

static void
test_change_under_the_reader(void **state)
{
	struct cdb_reader *reader;
	struct strv value;

	(void)state;
	make_cdb("damaged");
	assert_int_equal(cdb_reader_open("damaged", &reader), 0);
	assert_int_equal(truncate("damaged", 2100), 0);
	assert_int_equal(
	    cdb_reader_find(reader, STRV("key5"), &value), QE_CORRUPT);
	assert_true(cdb_reader_is_stale(reader, "damaged"));
	cdb_reader_free(&reader);

	/* Replaced by rename, the old one stays whole. */
	make_cdb("cdb");
	assert_int_equal(cdb_reader_open("cdb", &reader), 0);
	make_cdb("cdb");
	assert_int_equal(cdb_reader_find(reader, STRV("key5"), &value), 0);
	assert_true(cdb_reader_is_stale(reader, "cdb"));
	assert_int_equal(unlink("cdb"), 0);
	assert_true(cdb_reader_is_stale(reader, "cdb"));
	assert_int_equal(cdb_reader_find(reader, STRV("key5"), &value), 0);
	cdb_reader_free(&reader);
}

static void
test_writer_abort_leaves_nothing(void **state)
{
	struct cdb_writer *writer;

	(void)state;
	make_cdb("cdb");
	assert_int_equal(cdb_writer_open("cdb.tmp", 0600, &writer), 0);
	assert_int_equal(cdb_writer_add(writer, STRV("a"), STRV("b")), 0);
	cdb_writer_abort(&writer);
	assert_null(writer);
	cdb_writer_abort(&writer);
	assert_int_equal(access("cdb.tmp", F_OK), -1);
	assert_int_equal(access("cdb", F_OK), 0);
	assert_int_equal(
	    cdb_writer_open("absent/cdb.tmp", 0600, &writer), QE_SYS);
}

static void
test_writer_commit_to_nowhere(void **state)
{
	struct cdb_writer *writer;

	(void)state;
	assert_int_equal(cdb_writer_open("cdb.tmp", 0600, &writer), 0);
	assert_int_equal(cdb_writer_commit(&writer, "absent/cdb"), QE_SYS);
	assert_null(writer);
	assert_int_equal(access("cdb.tmp", F_OK), -1);
}

static void
test_empty_cdb(void **state)
{
	struct cdb_writer *writer;
	struct cdb_reader *reader;
	struct strv value;

	(void)state;
	assert_int_equal(cdb_writer_open("cdb.tmp", 0600, &writer), 0);
	assert_int_equal(cdb_writer_commit(&writer, "cdb"), 0);
	assert_int_equal(cdb_reader_open("cdb", &reader), 0);
	assert_int_equal(cdb_reader_find(reader, STRV("a"), &value), QE_ABSENT);
	cdb_reader_free(&reader);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seek_keep_check),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_open_failures),
		cmocka_unit_test(test_every_truncation_is_corrupt),
		cmocka_unit_test(test_zeroes_are_corrupt),
		cmocka_unit_test(test_flipped_bytes_end_in_a_code),
		cmocka_unit_test(test_change_under_the_reader),
		cmocka_unit_test(test_writer_abort_leaves_nothing),
		cmocka_unit_test(test_writer_commit_to_nowhere),
		cmocka_unit_test(test_empty_cdb),
	};

	return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
