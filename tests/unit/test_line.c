/* smtp/line: limits, flaws and deadlines, in every cutting of the input. */
#include "base/clock.h"
#include "smtp/line.h"
#include "unit.h"

#include <sys/socket.h>

/* A source over a descriptor that gives these bytes and then ends. */
static int
feed(struct strv bytes)
{
	char name[] = "/tmp/unit.XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(write(fd, bytes.ptr, bytes.len), (ssize_t)bytes.len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

struct line_case {
	struct strv input, line;
	unsigned flaws;
};

static const struct line_case cases[] = {
	{{ "NOOP\r\n", 6 },               { "NOOP", 4 },     0                          },
	{ { "\r\n", 2 },                  { "", 0 },         0                          },
	{ { "NOOP\n", 5 },                { "NOOP", 4 },     LINE_BARE_LF               },
	{ { "\n", 1 },                    { "", 0 },         LINE_BARE_LF               },
	{ { "a\rb\r\n", 5 },              { "a\rb", 3 },     LINE_BARE_CR               },
	{ { "a\r\r\n", 4 },               { "a\r", 2 },      LINE_BARE_CR               },
	{ { "\r\r\r\n", 4 },              { "\r\r", 2 },     LINE_BARE_CR               },
	{ { "a\0b\r\n", 5 },              { "a\0b", 3 },     LINE_HAS_NUL               },
	{ { "\0\n", 2 },                  { "\0", 1 },       LINE_HAS_NUL | LINE_BARE_LF},
	{ { "12345678\r\n", 10 },         { "12345678", 8 }, 0                          },
	{ { "123456789\r\n", 11 },        { "12345678", 8 }, LINE_TOO_LONG              },
	{ { "123456789\0\rxxxxx\n", 17 }, { "12345678", 8 },
         LINE_TOO_LONG | LINE_HAS_NUL | LINE_BARE_CR | LINE_BARE_LF                     },
};

/* cap: of the source's buffer, so that lines are cut everywhere. */
static void
check_case(const struct line_case *c, size_t cap)
{
	struct buf out = BUF_LIMIT(8);
	char storage[32];
	struct source in;
	unsigned flaws = 99;

	source_init(&in, feed(c->input), storage, cap);
	assert_int_equal(line_read(&in, IO_FOREVER, &out, &flaws), 0);
	assert_same(buf_view(&out), c->line);
	assert_int_equal(flaws, c->flaws);
	assert_int_equal(out.err, 0);
	assert_int_equal(line_read(&in, IO_FOREVER, &out, &flaws), QE_EOF);
	close(in.fd);
	buf_free(&out);
}

static void
test_line_flaws_in_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (size_t cap = 1; cap <= 32; cap++)
			check_case(&cases[i], cap);
}

static void
test_line_reads_pipelined_lines(void **state)
{
	struct buf out = BUF_INIT;
	char storage[64];
	struct source in;
	unsigned flaws;

	(void)state;
	source_init(&in, feed(STRV("a\r\nbb\r\n\r\nccc")), storage, 64);
	assert_int_equal(line_read(&in, IO_FOREVER, &out, &flaws), 0);
	assert_buf(&out, "a");
	assert_int_equal(line_read(&in, IO_FOREVER, &out, &flaws), 0);
	assert_buf(&out, "bb");
	assert_int_equal(line_read(&in, IO_FOREVER, &out, &flaws), 0);
	assert_buf(&out, "");
	/* A line without its end is dropped. */
	assert_int_equal(line_read(&in, IO_FOREVER, &out, &flaws), QE_EOF);
	assert_int_equal(out.len, 0);
	close(in.fd);
	buf_free(&out);
}

static void
test_line_long_lines_take_no_memory(void **state)
{
	struct buf text = BUF_LIMIT(8 << 20), out = BUF_LIMIT(1024);
	char storage[4096];
	struct source in;
	unsigned flaws;

	(void)state;
	memset(buf_reserve(&text, 4 << 20), 'x', 4 << 20);
	text.len = 4 << 20;
	buf_add_str(&text, "\r\nQUIT\r\n");
	source_init(&in, feed(buf_view(&text)), storage, sizeof(storage));
	assert_int_equal(line_read(&in, IO_FOREVER, &out, &flaws), 0);
	assert_int_equal(flaws, LINE_TOO_LONG);
	assert_true(out.cap <= 2048);
	assert_int_equal(line_read(&in, IO_FOREVER, &out, &flaws), 0);
	assert_int_equal(flaws, 0);
	assert_buf(&out, "QUIT");
	close(in.fd);
	buf_free(&text);
	buf_free(&out);
}

static void
test_line_times_out(void **state)
{
	struct buf out = BUF_INIT;
	char storage[64];
	struct source in;
	unsigned flaws;
	int fds[2];

	(void)state;
	assert_int_equal(io_pipe(fds), 0);
	assert_int_equal(write(fds[1], "NOO", 3), 3);
	source_init(&in, fds[0], storage, sizeof(storage));
	assert_int_equal(
	    line_read(&in, clock_mono_ms() + 30, &out, &flaws), QE_TIMEOUT);
	close(fds[0]);
	close(fds[1]);
	buf_free(&out);
}

/* A total for several lines; *left tells what of it is left. */
static void
test_line_within_a_total(void **state)
{
	struct buf out = BUF_LIMIT(4);
	char storage[64];
	struct source in;
	size_t left = 11;
	unsigned flaws;

	(void)state;
	source_init(&in, feed(STRV("abc\r\nabcd\r\nabc\r\n")), storage, 7);
	assert_int_equal(
	    line_read_within(&in, IO_FOREVER, &out, &flaws, &left), 0);
	assert_buf(&out, "abc");
	assert_int_equal(left, 6);
	assert_int_equal(
	    line_read_within(&in, IO_FOREVER, &out, &flaws, &left), 0);
	assert_buf(&out, "abcd");
	assert_int_equal(left, 0);
	assert_int_equal(
	    line_read_within(&in, IO_FOREVER, &out, &flaws, &left), QE_LIMIT);
	left = 4;
	assert_int_equal(
	    line_read_within(&in, IO_FOREVER, &out, &flaws, &left), QE_LIMIT);
	assert_int_equal(left, 0);
	assert_int_equal(out.len, 0);
	close(in.fd);
	buf_free(&out);
}

/* Bytes that are always there already must not outrun the deadline. */
static void
test_line_endless_line_ends_at_the_deadline(void **state)
{
	struct buf out = BUF_LIMIT(16);
	char storage[4096];
	struct source in;
	unsigned flaws;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	source_init(&in, fd, storage, sizeof(storage));
	assert_int_equal(
	    line_read(&in, clock_mono_ms() + 30, &out, &flaws), QE_TIMEOUT);
	close(fd);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_flaws_in_every_cut),
		cmocka_unit_test(test_line_reads_pipelined_lines),
		cmocka_unit_test(test_line_long_lines_take_no_memory),
		cmocka_unit_test(test_line_within_a_total),
		cmocka_unit_test(test_line_times_out),
		cmocka_unit_test(test_line_endless_line_ends_at_the_deadline),
	};

	return RUN_TESTS(tests);
}
