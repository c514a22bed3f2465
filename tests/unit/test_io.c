/* base/io: deadlines, buffered reading and writing. */
#include "base/clock.h"
#include "base/io.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

static int fds[2];

static int
setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return io_pipe(fds);
}

static int
teardown(void **state)
{
	(void)state;
	io_close(&fds[0]);
	io_close(&fds[1]);
	return 0;
}

static void
put(const char *text)
{
	assert_int_equal(io_write_all(fds[1], text, strlen(text)), 0);
}

static void
test_io_descriptors_do_not_leak_into_programs(void **state)
{
	(void)state;
	assert_true((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(fds[1], F_GETFD) & FD_CLOEXEC) != 0);
}

static void
test_io_close_keeps_errno(void **state)
{
	int none = -1;

	(void)state;
	errno = EIO;
	io_close(&none);
	io_close(&fds[0]);
	assert_int_equal(fds[0], -1);
	assert_int_equal(errno, EIO);
}

static void
test_io_wait_ends_at_the_deadline(void **state)
{
	int64_t start = clock_mono_ms();

	(void)state;
	assert_int_equal(io_wait(fds[0], POLLIN, start + 30), QE_TIMEOUT);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(clock_mono_ms() >= start + 30);
	/* A deadline that has passed still sees what is there. */
	assert_int_equal(io_wait(fds[0], POLLIN, start - 9), QE_TIMEOUT);
	put("x");
	assert_int_equal(io_wait(fds[0], POLLIN, start - 9), 0);
	assert_int_equal(io_wait(fds[0], POLLIN, IO_FOREVER), 0);
}

static void
test_io_write_fails_without_reader(void **state)
{
	(void)state;
	io_close(&fds[0]);
	assert_int_equal(io_write_all(fds[1], "x", 1), QE_SYS);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(io_write_all(fds[1], "", 0), 0);
}

/* A full pipe, or a socket whose peer does not read, holds nobody. */
static void
test_io_limit_writes(void **state)
{
	static const char much[1 << 20];
	int pair[2];

	(void)state;
	io_limit_writes(fds[1], 1);
	assert_true(write(fds[1], much, sizeof(much)) < (ssize_t)sizeof(much));
	assert_int_equal(write(fds[1], much, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	io_limit_writes(pair[1], 1);
	assert_true(write(pair[1], much, sizeof(much)) < (ssize_t)sizeof(much));
	io_close(&pair[0]);
	io_close(&pair[1]);
}

static void
test_io_sync_dir(void **state)
{
	(void)state;
	assert_int_equal(io_sync_dir("/tmp"), 0);
	assert_int_equal(io_sync_dir("/none/at/all"), QE_SYS);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(io_sync(-1), QE_SYS);
}

static void
test_source_reads_when_empty_only(void **state)
{
	char storage[4];
	struct source s;

	(void)state;
	source_init(&s, fds[0], storage, sizeof(storage));
	assert_int_equal(source_peek(&s).len, 0);
	put("abcdef");
	assert_int_equal(source_fill(&s, IO_FOREVER), 0);
	assert_view(source_peek(&s), "abcd");
	source_take(&s, 3);
	assert_int_equal(source_fill(&s, IO_FOREVER), 0);
	assert_view(source_peek(&s), "d");
	source_take(&s, 99);
	assert_int_equal(source_peek(&s).len, 0);
	assert_int_equal(source_fill(&s, IO_FOREVER), 0);
	assert_view(source_peek(&s), "ef");
	assert_int_equal(source_replace(&s, STRV("xy")), 2);
	assert_view(source_peek(&s), "xy");
	assert_int_equal(source_replace(&s, STRV("12345")), 4);
	assert_view(source_peek(&s), "1234");
	source_discard(&s);
	assert_int_equal(source_fill(&s, clock_mono_ms() + 10), QE_TIMEOUT);
	io_close(&fds[1]);
	assert_int_equal(source_fill(&s, clock_deadline(5)), QE_EOF);
	assert_int_equal(source_fill(&s, IO_FOREVER), QE_EOF);
}

static void
test_source_wipe_keeps_what_is_unread(void **state)
{
	char storage[16] = "untouched......";
	struct source s;

	(void)state;
	source_init(&s, fds[0], storage, sizeof(storage));
	source_wipe(&s);
	assert_memory_equal(storage, "untouched......", 16);
	put("secret");
	assert_int_equal(source_fill(&s, IO_FOREVER), 0);
	source_take(&s, 6);
	put("a\nb");
	assert_int_equal(source_fill(&s, IO_FOREVER), 0);
	source_take(&s, 2);
	assert_memory_equal(storage, "a\nbret", 6);
	source_wipe(&s);
	assert_memory_equal(storage, "\0\0b\0\0\0hed......", 15);
	assert_view(source_peek(&s), "b");
}

static void
test_source_waits_on_nonblocking_descriptors(void **state)
{
	char storage[4];
	struct source s;

	(void)state;
	assert_int_equal(io_set_nonblocking(fds[0], true), 0);
	source_init(&s, fds[0], storage, sizeof(storage));
	assert_int_equal(source_fill(&s, clock_mono_ms() + 20), QE_TIMEOUT);
	put("x");
	assert_int_equal(source_fill(&s, IO_FOREVER), 0);
	io_close(&fds[0]);
	source_discard(&s);
	assert_int_equal(source_fill(&s, IO_FOREVER), QE_SYS);
	assert_int_equal(errno, EBADF);
}

static void
check_by_line(int from, int to)
{
	char storage[64], rest[64];
	struct source s;

	source_init(&s, from, storage, sizeof(storage));
	s.by_line = true;
	assert_int_equal(source_fill(&s, clock_mono_ms() + 20), QE_TIMEOUT);
	assert_int_equal(io_write_all(to, "PASS x\r\nLIST\r\n", 14), 0);
	for (const char *p = "PASS x\r\n"; *p != '\0';) {
		struct strv got;

		assert_int_equal(source_fill(&s, IO_FOREVER), 0);
		got = source_peek(&s);
		assert_int_equal(strncmp(got.ptr, p, got.len), 0);
		p += got.len;
		source_take(&s, got.len);
	}
	assert_int_equal(io_read(from, rest, sizeof(rest)), 6);
	assert_int_equal(memcmp(rest, "LIST\r\n", 6), 0);
	assert_int_equal(close(to), 0);
	assert_int_equal(source_fill(&s, IO_FOREVER), QE_EOF);
}

/* What follows belongs to another program. */
static void
test_source_leaves_what_is_behind_the_line(void **state)
{
	int pair[2];

	(void)state;
	check_by_line(fds[0], fds[1]);
	fds[1] = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	check_by_line(pair[0], pair[1]);
	close(pair[0]);
}

static void
test_sink_writes_once(void **state)
{
	char storage[8], got[32];
	struct sink s;

	(void)state;
	sink_init(&s, fds[1], storage, sizeof(storage));
	assert_int_equal(sink_flush(&s), 0);
	assert_int_equal(sink_put_str(&s, "abc"), 0);
	assert_int_equal(sink_put_view(&s, STRV("defgh")), 0);
	assert_int_equal(sink_put(&s, "", 0), 0);
	assert_int_equal(io_set_nonblocking(fds[0], true), 0);
	assert_int_equal(read(fds[0], got, sizeof(got)), -1);
	assert_int_equal(sink_put_str(&s, "i"), 0);
	assert_int_equal(read(fds[0], got, sizeof(got)), 8);
	/* More than fits goes out at once, in order. */
	assert_int_equal(sink_put_str(&s, "0123456789"), 0);
	assert_int_equal(sink_flush(&s), 0);
	assert_int_equal(read(fds[0], got, sizeof(got)), 11);
	assert_memory_equal(got, "i0123456789", 11);
}

static void
test_sink_remembers_its_failure(void **state)
{
	char storage[8];
	struct sink s;

	(void)state;
	sink_init(&s, fds[1], storage, sizeof(storage));
	io_close(&fds[0]);
	assert_int_equal(sink_put_str(&s, "abc"), 0);
	assert_int_equal(sink_flush(&s), QE_SYS);
	errno = 0;
	assert_int_equal(sink_flush(&s), QE_SYS);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(sink_put_str(&s, "x"), QE_SYS);
	assert_int_equal(sink_put_str(&s, "more than eight"), QE_SYS);
}

static void
test_sink_times_out(void **state)
{
	static char lots[1 << 20];
	char storage[8];
	struct sink s;
	int64_t start = clock_mono_ms();

	(void)state;
	assert_int_equal(io_set_nonblocking(fds[1], true), 0);
	sink_init(&s, fds[1], storage, sizeof(storage));
	s.timeout_ms = 30;
	assert_int_equal(sink_put(&s, lots, sizeof(lots)), QE_TIMEOUT);
	assert_true(clock_mono_ms() < start + 5000);
	assert_int_equal(s.errnum, ETIMEDOUT);
}

/* Even for a reader that is always ready. */
static void
test_sink_ends_for_good(void **state)
{
	char storage[8];
	struct sink s;

	(void)state;
	sink_init(&s, fds[1], storage, sizeof(storage));
	s.timeout_ms = 5000;
	s.end_ms = clock_mono_ms() + 5000;
	assert_int_equal(sink_put_str(&s, "in time"), 0);
	assert_int_equal(sink_flush(&s), 0);
	s.end_ms = clock_mono_ms();
	assert_int_equal(sink_put_str(&s, "late"), 0);
	assert_int_equal(sink_flush(&s), QE_TIMEOUT);
	assert_int_equal(s.errnum, ETIMEDOUT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_io_descriptors_do_not_leak_into_programs),
		TEST(test_io_close_keeps_errno),
		TEST(test_io_wait_ends_at_the_deadline),
		TEST(test_io_write_fails_without_reader),
		TEST(test_io_limit_writes),
		TEST(test_io_sync_dir),
		TEST(test_source_reads_when_empty_only),
		TEST(test_source_wipe_keeps_what_is_unread),
		TEST(test_source_waits_on_nonblocking_descriptors),
		TEST(test_source_leaves_what_is_behind_the_line),
		TEST(test_sink_writes_once),
		TEST(test_sink_remembers_its_failure),
		TEST(test_sink_times_out),
		TEST(test_sink_ends_for_good),
	};

	return RUN_TESTS(tests);
}
