/* send/outpipe and send/slog: bytes that wait, lines that are whole. */
#include "base/io.h"
#include "send/outpipe.h"
#include "send/slog.h"
#include "unit.h"

#include <signal.h>

static void
test_outpipe_never_waits(void **state)
{
	struct outpipe out;
	int fds[2];
	size_t put = 0, got = 0;
	uint32_t seed = 1;

	(void)state;
	assert_int_equal(io_pipe(fds), 0);
	assert_int_equal(io_set_nonblocking(fds[1], true), 0);
	assert_int_equal(io_set_nonblocking(fds[0], true), 0);
	outpipe_init(&out, fds[1], 1 << 20);
	for (int i = 0; i < 3000; i++) {
		char bytes[999];
		size_t n = unit_random(&seed) % sizeof(bytes);
		ssize_t r;

		for (size_t k = 0; k < n; k++)
			bytes[k] = (char)((put + k) % 251);
		buf_add(&out.data, bytes, n);
		put += n;
		assert_int_equal(outpipe_flush(&out), 0);
		n = unit_random(&seed) % (i < 2000 ? 600 : 999);
		r = read(fds[0], bytes, n);
		for (ssize_t k = 0; k < r; k++)
			assert_int_equal(
			    bytes[k], (char)((got + (size_t)k) % 251));
		got += r > 0 ? (size_t)r : 0;
		assert_true(put - got >= outpipe_load(&out));
	}
	assert_int_equal(out.data.err, 0);
	close(fds[0]);
	buf_add(&out.data, "x", 1);
	assert_int_equal(outpipe_flush(&out), QE_EOF);
	close(fds[1]);
	buf_free(&out.data);
}

static void
test_outpipe_keeps_all_or_nothing(void **state)
{
	struct outpipe out;
	size_t mark;

	(void)state;
	outpipe_init(&out, -1, 10);
	buf_add_str(&out.data, "12345");
	assert_true(outpipe_keep(&out, 0));
	mark = out.data.len;
	buf_add_str(&out.data, "67");
	buf_add_str(&out.data, "890abc");
	assert_false(outpipe_keep(&out, mark));
	assert_int_equal(outpipe_load(&out), 5);
	buf_add_str(&out.data, "67890");
	assert_true(outpipe_keep(&out, mark));
	buf_free(&out.data);
}

static void
test_slog_lines(void **state)
{
	struct slog log;
	char got[200];
	int fds[2];
	ssize_t n;

	(void)state;
	assert_int_equal(io_pipe(fds), 0);
	slog_init(&log, fds[1]);
	slog_line(&log, "new msg %d", 5);
	slog_safe(
	    &log, STRV("a b\n%\xff\x7f\1c"), "> qp 1", "info msg %d: <", 5);
	slog_warn_file(&log, "unable to stat", "mess/1/2", "; x");
	slog_flush(&log);
	n = read(fds[0], got, sizeof(got));
	assert_true(n > 0);
	assert_view(strv_from(got, (size_t)n),
	    "new msg 5\ninfo msg 5: <a_b/____c> qp 1\n"
	    "warning: unable to stat mess/1/2; x\n");
	close(fds[0]);
	close(fds[1]);
	buf_free(&log.lines);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outpipe_never_waits),
		cmocka_unit_test(test_outpipe_keeps_all_or_nothing),
		cmocka_unit_test(test_slog_lines),
	};

	signal(SIGPIPE, SIG_IGN);
	return RUN_TESTS(tests);
}
