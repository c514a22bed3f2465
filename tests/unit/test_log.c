/* base/log: nothing from outside ends a line or plays with a terminal. */
#include "base/log.h"
#include "unit.h"

static int fds[2];

static int
setup(void **state)
{
	(void)state;
	return pipe(fds);
}

static int
teardown(void **state)
{
	(void)state;
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static struct strv
written(char *storage, size_t size)
{
	ssize_t got = read(fds[0], storage, size);

	assert_true(got > 0);
	return strv_from(storage, (size_t)got);
}

static void
test_log_add_safe(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	log_add_safe(&b, STRV("a b\nc%d\t\x7f\xff\0~!"));
	assert_buf(&b, "a_b/c_d____~!");
	buf_free(&b);
}

static void
test_log_add_escaped(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	log_add_escaped(&b, STRV("a b\n\\\x1b\x7f\xff\0%"));
	assert_buf(&b, "a b\\012\\134\\033\\177\\377\\000%");
	buf_free(&b);
}

static void
test_log_line(void **state)
{
	char storage[4096], want[128];

	(void)state;
	log_line(fds[1], "qmail-smtpd", STRV("C: EHLO \r\n"));
	snprintf(want, sizeof(want),
	    "qmail-smtpd: pid %ld C: EHLO \\015\\012\n", (long)getpid());
	assert_same(written(storage, sizeof(storage)), strv_of(want));
	log_message(fds[1], "prog", STRV("fatal: x"));
	assert_view(written(storage, sizeof(storage)), "prog: fatal: x\n");
}

static void
test_log_line_is_cut(void **state)
{
	char storage[8192], lots[5000];
	struct strv line;

	(void)state;
	memset(lots, '\x01', sizeof(lots));
	log_line(fds[1], "p", strv_from(lots, sizeof(lots)));
	line = written(storage, sizeof(storage));
	assert_int_equal(line.len, LOG_LINE_MAX + 1);
	assert_int_equal(strv_find(line, '\n'), LOG_LINE_MAX);
	memset(lots, 'a', sizeof(lots));
	log_message(fds[1], "p", strv_from(lots, sizeof(lots)));
	assert_int_equal(
	    written(storage, sizeof(storage)).len, LOG_LINE_MAX + 1);
}

/* A log that nobody can write to must not stop mail. */
static void
test_log_failures_are_ignored(void **state)
{
	(void)state;
	log_line(-1, "p", STRV("x"));
	log_message(99, "p", STRV("x"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_log_add_safe),
		TEST(test_log_add_escaped),
		TEST(test_log_line),
		TEST(test_log_line_is_cut),
		TEST(test_log_failures_are_ignored),
	};

	return RUN_TESTS(tests);
}
