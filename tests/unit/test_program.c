/* base/program: the order before anything is read, seen from a child. */
#include "base/env.h"
#include "base/program.h"
#include "unit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static char dir[64];

static int
setup(void **state)
{
	(void)state;
	unit_make_dir(dir);
	assert_int_equal(env_set("QMAILHOME", dir), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	env_unset("QMAILHOME");
	unit_remove(dir);
	return 0;
}

/* Runs program_begin in a child and then what: its exit code. */
static int
run(unsigned flags, int closed, int (*what)(void))
{
	const struct program program = {
		.name = "prog", .flags = flags, .umask = 033
	};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(98);
		if (closed >= 0)
			close(closed);
		program_begin(&program);
		_exit(what());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
check_state(void)
{
	struct sigaction pipe_action, size_action;
	struct stat here, home;

	sigaction(SIGPIPE, NULL, &pipe_action);
	sigaction(SIGXFSZ, NULL, &size_action);
	if (pipe_action.sa_handler != SIG_IGN ||
	    size_action.sa_handler != SIG_IGN)
		return 1;
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 2;
	if (umask(0) != 033)
		return 3;
	if (stat(".", &here) < 0 || stat(dir, &home) < 0 ||
	    here.st_ino != home.st_ino)
		return 4;
	return 0;
}

static int
check_kept(void)
{
	struct sigaction pipe_action;

	sigaction(SIGPIPE, NULL, &pipe_action);
	return pipe_action.sa_handler != SIG_DFL || umask(0) == 033;
}

static int
check_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return 1;
	return 0;
}

static void
test_program_begins(void **state)
{
	(void)state;
	assert_int_equal(run(PROGRAM_HOME, -1, check_state), 0);
	assert_int_equal(
	    run(PROGRAM_KEEP_SIGPIPE | PROGRAM_KEEP_UMASK, -1, check_kept), 0);
}

static void
test_program_opens_what_is_closed(void **state)
{
	(void)state;
	for (int fd = 0; fd <= 2; fd++)
		assert_int_equal(run(0, fd, check_descriptors), 0);
}

static void
test_program_demands_descriptors(void **state)
{
	(void)state;
	assert_int_equal(run(PROGRAM_FD0, 0, check_descriptors), 111);
	assert_int_equal(run(PROGRAM_FD1, 1, check_descriptors), 111);
	assert_int_equal(run(PROGRAM_FD0, 1, check_descriptors), 0);
}

static void
test_program_without_home(void **state)
{
	(void)state;
	assert_int_equal(env_set("QMAILHOME", "/none/such"), 0);
	assert_int_equal(run(PROGRAM_HOME, -1, check_state), 111);
}

static void
test_program_home(void **state)
{
	(void)state;
	assert_string_equal(program_home(), dir);
	/* A relative home would be a different one in every directory. */
	assert_int_equal(env_set("QMAILHOME", "relative"), 0);
	assert_string_equal(program_home(), program_home_built_in());
	env_unset("QMAILHOME");
	assert_string_equal(program_home(), program_home_built_in());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_program_begins),
		TEST(test_program_opens_what_is_closed),
		TEST(test_program_demands_descriptors),
		TEST(test_program_without_home),
		TEST(test_program_home),
	};

	return RUN_TESTS(tests);
}
