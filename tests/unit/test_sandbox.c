/* base/sandbox: what is not allowed does not happen, each in a child. */
#include "base/sandbox.h"
#include "base/spawn.h"
#include "unit.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int
child(int (*run)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run());
	assert_int_equal(spawn_wait(pid, &status), 0);
	return status;
}

static const int few[] = { SYS_getppid, SYS_exit_group };

static int
make_allowed_call(void)
{
	int r = sandbox_calls(few, 2);

	syscall(SYS_getppid);
	return r == QE_ABSENT ? 77 : r;
}

static int
make_other_call(void)
{
	(void)sandbox_calls(few, 2);
	syscall(SYS_getuid);
	return 0;
}

static void
test_calls(void **state)
{
	int status = child(make_allowed_call);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* no filter on this machine */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	status = child(make_other_call);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int
make_basic_and_more(void)
{
	static const int more[] = { SYS_getppid };
	int r = sandbox_calls_more(more, 1);
	char byte = 0;

	syscall(SYS_getppid);
	if (write(STDOUT_FILENO, &byte, 0) < 0)
		return 1;
	return r == QE_ABSENT ? 77 : r;
}

static int
make_other_than_basic_call(void)
{
	(void)sandbox_calls_more(NULL, 0);
	syscall(SYS_getppid);
	return 0;
}

static void
test_basic_calls(void **state)
{
	int status = child(make_basic_and_more);
	int calls[SANDBOX_CALLS_MAX] = { 0 };

	(void)state;
	assert_int_equal(
	    sandbox_calls_more(calls, SANDBOX_CALLS_MAX), QE_LIMIT);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* no filter on this machine */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	status = child(make_other_than_basic_call);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int
open_with(int flags)
{
	int r = sandbox_reading();
	int fd;

	if (r != 0)
		return r == QE_ABSENT ? 77 : 1;
	fd = openat(AT_FDCWD, "/dev/null", flags | O_CLOEXEC, 0600);
	return fd >= 0 && close(fd) == 0 ? 0 : 2;
}

static int
open_to_read(void)
{
	return open_with(O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
}

static int
open_to_write(void)
{
	return open_with(O_WRONLY);
}

static int
open_for_both(void)
{
	return open_with(O_RDWR | O_APPEND);
}

static int
open_and_make(void)
{
	return open_with(O_CREAT);
}

static int
open_and_cut(void)
{
	return open_with(O_TRUNC);
}

static void
test_reading(void **state)
{
	static int (*const others[])(void) = { open_to_write, open_for_both,
		open_and_make, open_and_cut };
	int status = child(open_to_read);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* no filter on this machine */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		status = child(others[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

static int
set_option(int level, int name)
{
	static const int names[] = { TCP_CORK, TCP_NODELAY };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	int r = sandbox_options(IPPROTO_TCP, names, 2);

	if (r == 0)
		r = setsockopt(fd, level, name, &on, sizeof(on));
	return r == QE_ABSENT ? 77 : r;
}

static int
set_first_option(void)
{
	return set_option(IPPROTO_TCP, TCP_CORK);
}

static int
set_last_option(void)
{
	return set_option(IPPROTO_TCP, TCP_NODELAY);
}

static int
set_other_option(void)
{
	return set_option(IPPROTO_TCP, TCP_QUICKACK);
}

static int
set_option_of_other_level(void)
{
	/* The number is one of those allowed, of TCP. */
	return set_option(SOL_SOCKET, TCP_CORK);
}

static void
test_options(void **state)
{
	int status = child(set_first_option);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* no filter on this machine */
	assert_int_equal(status, 0);
	assert_int_equal(child(set_last_option), 0);
	status = child(set_other_option);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	status = child(set_option_of_other_level);
	assert_true(WIFSIGNALED(status));
}

static void
test_too_many_calls(void **state)
{
	int calls[SANDBOX_CALLS_MAX + 1] = { 0 };
	int r = sandbox_calls(calls, SANDBOX_CALLS_MAX + 1);

	(void)state;
	assert_true(r == QE_LIMIT || r == QE_ABSENT);
}

static int
open_a_file(void)
{
	static const struct sandbox_limit none = { RLIMIT_NOFILE, 0 };

	if (sandbox_limit(&none, 1) != 0)
		return 1;
	return open("/", O_RDONLY) < 0 ? 0 : 2;
}

static int
ask_for_more(void)
{
	static const struct sandbox_limit some = { RLIMIT_NOFILE, 8 };
	static const struct sandbox_limit more = { RLIMIT_NOFILE, 80 };
	struct rlimit now;

	if (sandbox_limit(&some, 1) != 0 || sandbox_limit(&more, 1) != 0 ||
	    getrlimit(RLIMIT_NOFILE, &now) != 0)
		return 1;
	return now.rlim_max == 8 ? 0 : 2;
}

static void
test_limits(void **state)
{
	(void)state;
	assert_int_equal(child(open_a_file), 0);
	assert_int_equal(child(ask_for_more), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_basic_calls),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_too_many_calls),
		cmocka_unit_test(test_limits),
	};

	return RUN_TESTS(tests);
}
