/* base/file: whole small files, and what is no such thing. */
#include "base/file.h"
#include "unit.h"

#include <errno.h>

static char dir[64];
static char path[96];

static int
setup(void **state)
{
	(void)state;
	unit_make_dir(dir);
	snprintf(path, sizeof(path), "%s/file", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unit_remove(dir);
	return 0;
}

static void
test_file_read_appends(void **state)
{
	struct buf b = BUF_INIT;
	int fd;

	(void)state;
	unit_write(path, STRV("a\0b\n"));
	buf_add_str(&b, "x");
	assert_int_equal(file_read(path, &b), 0);
	assert_buf(&b, "xa\0b\n");
	buf_reset(&b);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(file_read_at(fd, "file", &b), 0);
	assert_buf(&b, "a\0b\n");
	close(fd);
	buf_free(&b);
}

static void
test_file_read_from_its_offset(void **state)
{
	struct buf b = BUF_INIT;
	int fd;

	(void)state;
	unit_write(path, STRV("0123456789"));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
	assert_int_equal(file_read_fd(fd, &b), 0);
	assert_buf(&b, "789");
	close(fd);
	buf_free(&b);
}

static void
test_file_limit_is_exact(void **state)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 70000 };
	char *bytes = calloc(1, 70000);

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t n = sizes[i];
		struct buf b = BUF_LIMIT(n == 0 ? 1 : n);
		struct buf small = BUF_LIMIT(n > 1 ? n - 1 : 1);

		unit_write(path, strv_from(bytes, n));
		assert_int_equal(file_read(path, &b), 0);
		assert_int_equal(b.len, n);
		if (n > 1)
			assert_int_equal(file_read(path, &small), QE_LIMIT);
		buf_free(&b);
		buf_free(&small);
	}
	free(bytes);
}

/* Whatever the room that is there at first, and whatever size is told. */
static void
test_file_read_any_size(void **state)
{
	static const size_t sizes[] = { 0, 1, 62, 63, 64, 126, 127, 128, 300 };
	char bytes[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		char room[128];
		struct buf b = BUF_IN(room, 1000);

		unit_write(path, strv_from(bytes, sizes[i]));
		buf_add_char(&b, 'x');
		assert_int_equal(file_read(path, &b), 0);
		assert_int_equal(b.len, sizes[i] + 1);
		assert_memory_equal(b.data + 1, bytes, sizes[i]);
		buf_free(&b);
	}
	/* Such a file is said to be empty. */
	struct buf b = BUF_INIT;

	assert_int_equal(file_read("/proc/self/status", &b), 0);
	assert_true(b.len > 100);
	buf_free(&b);
}

static void
test_file_that_is_none(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(file_read(path, &b), QE_ABSENT);
	assert_int_equal(file_read(dir, &b), QE_SYS);
	assert_int_equal(errno, EISDIR);
	/* A FIFO must not make anybody wait. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_read(path, &b), QE_SYS);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(file_read("/dev/zero", &b), QE_SYS);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file_read_appends),
		TEST(test_file_read_from_its_offset),
		TEST(test_file_limit_is_exact),
		TEST(test_file_read_any_size),
		TEST(test_file_that_is_none),
	};

	return RUN_TESTS(tests);
}
