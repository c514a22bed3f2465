/* pop3/trace: what a log may show of a session, and what it must not. */
#include "pop3/trace.h"

#include "base/die.h"
#include "base/env.h"
#include "base/io.h"
#include "unit.h"

static int fds[2];

static int
open_log(void **state)
{
	(void)state;
	die_set_name("popup");
	assert_int_equal(io_pipe(fds), 0);
	return io_set_nonblocking(fds[0], true);
}

static int
close_log(void **state)
{
	(void)state;
	io_close(&fds[0]);
	io_close(&fds[1]);
	return 0;
}

static struct pop3_trace
full(void)
{
	return (struct pop3_trace){
		.fd = fds[1], .in = true, .out = true, .pid = 7
	};
}

static void
expect(const char *line)
{
	char got[2048];
	ssize_t n = read(fds[0], got, sizeof(got));

	if (line == NULL) {
		assert_int_equal(n, -1);
		return;
	}
	assert_true(n > 0);
	assert_same(strv_from(got, (size_t)n), strv_of(line));
}

static void
check_client(const char *line, const char *logged)
{
	struct pop3_trace t = full();

	trace_client(&t, strv_of(line));
	expect(logged);
}

static void
test_trace_hides_secrets(void **state)
{
	(void)state;
	check_client("USER joe", "popup: pid 7 C: USER joe\n");
	check_client("PASS rosebud", "popup: pid 7 C: PASS [...]\n");
	check_client("pass  two words", "popup: pid 7 C: pass [...]\n");
	check_client("PASS", "popup: pid 7 C: PASS\n");
	check_client("APOP joe c4c9", "popup: pid 7 C: APOP joe [...]\n");
	check_client("APOP joe", "popup: pid 7 C: APOP joe\n");
	check_client(
	    "AUTH PLAIN AGpvZQ==", "popup: pid 7 C: AUTH PLAIN [...]\n");
	check_client("AUTH CRAM-MD5", "popup: pid 7 C: AUTH CRAM-MD5\n");
	check_client("retr 1", "popup: pid 7 C: retr 1\n");
	check_client("", "popup: pid 7 C: [...]\n");
	/* A response behind a refused AUTH, a password typed too early. */
	check_client("AGpvZQByb3NlYnVk", "popup: pid 7 C: [...]\n");
	check_client("rosebud", "popup: pid 7 C: [...]\n");
	check_client("PASSrosebud", "popup: pid 7 C: [...]\n");
	check_client("PASS\trosebud", "popup: pid 7 C: [...]\n");
}

static void
test_trace_is_one_clean_line(void **state)
{
	struct pop3_trace t = full();
	char text[4000];

	(void)state;
	check_client(
	    "USER a\x1b[2J\xff", "popup: pid 7 C: USER a\\033[2J\\377\n");
	trace_server(&t, "+OK ", "ready");
	expect("popup: pid 7 S: +OK ready\n");
	trace_event(&t, "LOGIN: %s", "a\nb");
	expect("popup: pid 7 LOGIN: a\\012b\n");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	trace_event(&t, "%s", text);
	assert_true(read(fds[0], text, sizeof(text)) <= 1001);
}

static void
test_trace_says_what_is_wanted(void **state)
{
	struct pop3_trace t = full();

	(void)state;
	t.in = false;
	trace_client(&t, STRV("NOOP"));
	trace_secret(&t);
	expect(NULL);
	t.in = true;
	trace_secret(&t);
	expect("popup: pid 7 C: [...]\n");
	t.out = false;
	trace_server(&t, "+OK ", "");
	expect(NULL);
	t.fd = 0;
	trace_client(&t, STRV("NOOP"));
	trace_event(&t, "event");
	expect(NULL);
}

static void
test_trace_environment(void **state)
{
	struct pop3_trace t = full(), got;
	char text[64];

	(void)state;
	assert_int_equal(trace_to_environment(&t), 0);
	snprintf(text, sizeof(text), "%d 7 io", t.fd);
	assert_string_equal(env_get("POP3LOG"), text);
	trace_from_environment(&got);
	assert_true(got.fd == t.fd && got.in && got.out && got.pid == 7);
	t.in = false;
	assert_int_equal(trace_to_environment(&t), 0);
	trace_from_environment(&got);
	assert_true(got.fd == t.fd && !got.in && got.out);
	t.out = false;
	assert_int_equal(trace_to_environment(&t), 0);
	assert_null(env_get("POP3LOG"));
	trace_from_environment(&got);
	assert_int_equal(got.fd, 0);
}

static void
test_trace_environment_is_not_trusted(void **state)
{
	static const char *const bad[] = { "", "1 7 io", "0 7 io", "x 7 io",
		"1000 7 io", "2000000000000 7 io", "2 x io", "2", "-1 7 io" };
	struct pop3_trace got;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(env_set("POP3LOG", bad[i]), 0);
		trace_from_environment(&got);
		assert_int_equal(got.fd, 0);
		assert_false(got.in || got.out);
	}
	env_unset("POP3LOG");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_trace_hides_secrets, open_log, close_log),
		cmocka_unit_test_setup_teardown(
		    test_trace_is_one_clean_line, open_log, close_log),
		cmocka_unit_test_setup_teardown(
		    test_trace_says_what_is_wanted, open_log, close_log),
		cmocka_unit_test_setup_teardown(
		    test_trace_environment, open_log, close_log),
		cmocka_unit_test(test_trace_environment_is_not_trusted),
	};

	return RUN_TESTS(tests);
}
