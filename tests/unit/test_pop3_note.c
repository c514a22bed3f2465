/* pop3/note: a server's word to qmail-popup, and its absence. */
#include "pop3/note.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/io.h"
#include "unit.h"

#include <sys/wait.h>

enum { SOON_MS = 50, LATE_MS = 10000 };

/* A server that speaks, or ends without a word. */
static pid_t
start_server(const int fds[2], bool speaks)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	close(fds[0]);
	_exit(!speaks || note_login() ? 0 : 1);
}

static int
end_of(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_note_without_waiting(void **state)
{
	int fds[2];
	pid_t pid;

	(void)state;
	assert_int_equal(note_open(fds, false), 0);
	pid = start_server(fds, true);
	io_close(&fds[1]);
	assert_int_equal(end_of(pid), 0);
	assert_int_equal(note_wait(fds[0], clock_mono_ms() + LATE_MS), 0);
	io_close(&fds[0]);
}

static void
test_note_waits_for_the_answer(void **state)
{
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(note_open(fds, true), 0);
	pid = start_server(fds, true);
	io_close(&fds[1]);
	assert_int_equal(note_wait(fds[0], clock_mono_ms() + LATE_MS), 0);
	clock_sleep_ms(SOON_MS);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	note_answer(fds[0]);
	assert_int_equal(end_of(pid), 0);
	io_close(&fds[0]);
}

/* Whoever asked has gone: nothing is served behind his back. */
static void
test_note_without_an_answer(void **state)
{
	int fds[2];
	pid_t pid;

	(void)state;
	assert_int_equal(note_open(fds, true), 0);
	pid = start_server(fds, true);
	io_close(&fds[1]);
	assert_int_equal(note_wait(fds[0], clock_mono_ms() + LATE_MS), 0);
	io_close(&fds[0]);
	assert_int_equal(WEXITSTATUS(end_of(pid)), 1);
}

static void
test_note_silence(void **state)
{
	int fds[2];
	pid_t pid;

	(void)state;
	assert_int_equal(note_open(fds, false), 0);
	assert_int_equal(
	    note_wait(fds[0], clock_mono_ms() + SOON_MS), QE_TIMEOUT);
	pid = start_server(fds, false);
	io_close(&fds[1]);
	assert_int_equal(note_wait(fds[0], clock_mono_ms() + LATE_MS), QE_EOF);
	assert_int_equal(end_of(pid), 0);
	io_close(&fds[0]);
}

static void
test_note_nobody_asks(void **state)
{
	static const char *const values[] = { "", "x", "3", "99999", "-1" };

	(void)state;
	env_unset("POP3NOTE");
	assert_true(note_login());
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		assert_int_equal(env_set("POP3NOTE", values[i]), 0);
		assert_true(note_login());
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_note_without_waiting),
		cmocka_unit_test(test_note_waits_for_the_answer),
		cmocka_unit_test(test_note_without_an_answer),
		cmocka_unit_test(test_note_silence),
		cmocka_unit_test(test_note_nobody_asks),
	};

	return RUN_TESTS(tests);
}
