/* Layout, paths and ids of the queue; the records of its files. */
#include "base/error.h"
#include "scratch.h"
#include "spool/queue.h"

static void
make_dir(const char *format, unsigned n)
{
	char path[64];

	snprintf(path, sizeof(path), format, n);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void
make_queue(unsigned split, bool todo_split)
{
	mkdir("mess", 0700);
	mkdir("todo", 0700);
	for (unsigned i = 0; i < split; i++) {
		make_dir("mess/%u", i);
		if (todo_split)
			make_dir("todo/%u", i);
	}
}

static void
expect_layout(unsigned split, bool todo_split)
{
	struct queue_layout l = { 0, false };

	assert_int_equal(queue_layout_read(&l), 0);
	assert_int_equal(l.split, split);
	assert_int_equal(l.todo_split, todo_split);
}

static void
test_layout_default(void **state)
{
	(void)state;
	make_queue(23, true);
	expect_layout(23, true);
}

static void
test_layout_other_split(void **state)
{
	(void)state;
	make_queue(401, false);
	expect_layout(401, false);
}

static void
test_layout_single(void **state)
{
	(void)state;
	make_queue(1, false);
	expect_layout(1, false);
}

/* Other directories spoil the link count; the scan finds the number. */
static void
test_layout_strange_neighbours(void **state)
{
	(void)state;
	make_queue(7, true);
	assert_int_equal(mkdir("mess/lost+found", 0700), 0);
	assert_int_equal(mkdir("mess/007", 0700), 0);
	scratch_write("mess/9", "", 0, 0600);
	expect_layout(7, true);
}

static void
test_layout_gap_is_refused(void **state)
{
	struct queue_layout l;

	(void)state;
	make_queue(9, false);
	assert_int_equal(rmdir("mess/4"), 0);
	rmdir("mess/5");
	assert_int_equal(queue_layout_read(&l), QE_CORRUPT);
}

static void
test_layout_absent(void **state)
{
	struct queue_layout l;

	(void)state;
	assert_int_equal(queue_layout_read(&l), QE_ABSENT);
	assert_int_equal(mkdir("mess", 0700), 0);
	assert_int_equal(queue_layout_read(&l), QE_ABSENT);
}

static void
test_paths(void **state)
{
	struct queue_layout l = { 23, false };
	char path[QUEUE_PATH_MAX];

	(void)state;
	queue_path(&l, QUEUE_MESS, 1106519, path);
	assert_string_equal(path, "mess/12/1106519");
	queue_path(&l, QUEUE_TODO, 77, path);
	assert_string_equal(path, "todo/77");
	queue_dir_path(&l, QUEUE_INTD, 77, path);
	assert_string_equal(path, "intd");
	l.todo_split = true;
	queue_path(&l, QUEUE_INTD, 77, path);
	assert_string_equal(path, "intd/8/77");
	queue_dir_path(&l, QUEUE_TODO, 77, path);
	assert_string_equal(path, "todo/8");
	queue_path(&l, QUEUE_BOUNCE, 77, path);
	assert_string_equal(path, "bounce/77");
	queue_path(&l, QUEUE_REMOTE, UINT64_MAX, path);
	assert_string_equal(path, "remote/5/18446744073709551615");
	assert_string_equal(queue_area_name(QUEUE_LOCAL), "local");
}

static void
test_ids(void **state)
{
	static const char *const bad[] = { "", "0", "007", "1a", "-1", " 1",
		"18446744073709551616", "1 ", "+1", ".", ".." };
	uint64_t id = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    queue_id_parse(strv_of(bad[i]), &id), QE_SYNTAX);
	assert_int_equal(id, 5);
	assert_int_equal(queue_id_parse(STRV("1106519"), &id), 0);
	assert_int_equal(id, 1106519);
	assert_int_equal(queue_id_parse(STRV("18446744073709551615"), &id), 0);
	assert_true(id == UINT64_MAX);
}

static int
parse(struct strv bytes, struct buf *scratch, struct envelope *e)
{
	return envelope_parse(bytes, scratch, e);
}

static void
test_envelope(void **state)
{
	struct buf scratch = BUF_INIT;
	struct envelope e;

	(void)state;
	assert_int_equal(
	    parse(STRV("u0\0p20657\0Fa@b\0Tc@d\0Te\0"), &scratch, &e), 0);
	assert_int_equal(e.uid, 0);
	assert_int_equal(e.pid, 20657);
	assert_true(strv_eq(e.sender, STRV("a@b")));
	assert_true(strv_eq(e.recipients, STRV("Tc@d\0Te\0")));
	assert_int_equal(scratch.len, 0);
	assert_int_equal(parse(STRV("F\0"), &scratch, &e), 0);
	assert_int_equal(e.sender.len, 0);
	assert_int_equal(e.recipients.len, 0);
	buf_free(&scratch);
}

static void
test_envelope_any_order(void **state)
{
	struct buf scratch = BUF_INIT;
	struct envelope e;

	(void)state;
	assert_int_equal(
	    parse(STRV("Ta\0Tb\0p9\0Tc\0Fx\0Td\0u7\0"), &scratch, &e), 0);
	assert_int_equal(e.uid, 7);
	assert_int_equal(e.pid, 9);
	assert_true(strv_eq(e.sender, STRV("x")));
	assert_true(strv_eq(e.recipients, STRV("Ta\0Tb\0Tc\0Td\0")));
	buf_free(&scratch);
}

static void
test_envelope_damaged(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{"",              0},
                { "u0\0p1\0Ta\0", 9},
                { "Fa\0Tb",       5},
		{ "Fa\0Xb\0",     6},
                { "Fa\0\0",       4},
                { "ux\0Fa\0",     6},
		{ "p-1\0Fa\0",    7},
                { "Fa\0Fb\0",     6},
                { "\0\0\0\0",     4}
	};
	struct buf scratch = BUF_INIT;
	struct envelope e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    parse(strv_from(bad[i].bytes, bad[i].len), &scratch, &e),
		    QE_SYNTAX);
	buf_free(&scratch);
}

static void
test_envelope_scratch_limit(void **state)
{
	struct buf scratch = BUF_LIMIT(4);
	struct envelope e;

	(void)state;
	assert_int_equal(
	    parse(STRV("Taaaa\0Fx\0Tbbbb\0"), &scratch, &e), QE_LIMIT);
	buf_free(&scratch);
}

static void
test_records(void **state)
{
	struct buf out = BUF_INIT;
	struct strv rest, text;
	char letter;

	(void)state;
	envelope_add_origin(&out, 12, 34);
	record_add(&out, 'F', STRV(""));
	record_add(&out, 'D', STRV("a@b"));
	rest = buf_view(&out);
	assert_true(strv_eq(rest, STRV("u12\0p34\0F\0Da@b\0")));
	assert_int_equal(record_next(&rest, &letter, &text), 0);
	assert_int_equal(letter, 'u');
	assert_true(strv_eq(text, STRV("12")));
	rest = strv_skip(rest, 4);
	assert_int_equal(record_next(&rest, &letter, &text), 0);
	assert_int_equal(letter, 'F');
	assert_int_equal(text.len, 0);
	assert_int_equal(record_next(&rest, &letter, &text), 0);
	assert_int_equal(letter, 'D');
	assert_int_equal(record_next(&rest, &letter, &text), QE_EOF);
	rest = STRV("Ta");
	assert_int_equal(record_next(&rest, &letter, &text), QE_SYNTAX);
	assert_int_equal(rest.len, 2);
	rest = STRV("\0");
	assert_int_equal(record_next(&rest, &letter, &text), 0);
	assert_int_equal(letter, '\0');
	assert_int_equal(text.len, 0);
	buf_free(&out);
}

#define IN_SCRATCH(f)                                                          \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_layout_default),
		IN_SCRATCH(test_layout_other_split),
		IN_SCRATCH(test_layout_single),
		IN_SCRATCH(test_layout_strange_neighbours),
		IN_SCRATCH(test_layout_gap_is_refused),
		IN_SCRATCH(test_layout_absent),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_envelope_any_order),
		cmocka_unit_test(test_envelope_damaged),
		cmocka_unit_test(test_envelope_scratch_limit),
		cmocka_unit_test(test_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
