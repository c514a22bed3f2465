/* base/terminal: lines, their limit, and a terminal that shows them again. */
#include "base/error.h"
#include "base/terminal.h"
#include "unit.h"

#include <pty.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>

enum { MAX = 8 };

/* What comes of these bytes on descriptor 0; the line is said as a string. */
static int
ask(int fd, char line[MAX + 1])
{
	int saved = dup(STDIN_FILENO), quiet = dup(STDERR_FILENO);
	size_t len = 99;
	int r;

	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	close(STDERR_FILENO);
	r = terminal_read_secret("? ", line, MAX, &len);
	dup2(quiet, STDERR_FILENO);
	dup2(saved, STDIN_FILENO);
	close(quiet);
	close(saved);
	assert_in_range(len, 0, MAX);
	line[len] = '\0';
	return r;
}

static void
test_pipe(void **state)
{
	char line[MAX + 1];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(
	    write(fds[1], "12345678\n\n\003x\n123456789\nz", 24), 24);
	close(fds[1]);
	assert_int_equal(ask(fds[0], line), 0);
	assert_string_equal(line, "12345678");
	assert_int_equal(ask(fds[0], line), 0);
	assert_string_equal(line, "");
	assert_int_equal(ask(fds[0], line), 0);
	assert_string_equal(line, "\003x");
	assert_int_equal(ask(fds[0], line), QE_LIMIT);
	assert_int_equal(ask(fds[0], line), 0);
	assert_string_equal(line, "");
	assert_int_equal(ask(fds[0], line), 0);
	assert_string_equal(line, "z");
	close(fds[0]);
}

static bool
echoes(int fd)
{
	struct termios t;

	assert_int_equal(tcgetattr(fd, &t), 0);
	return (t.c_lflag & ECHO) != 0 && (t.c_lflag & ISIG) != 0;
}

/* Typed by another process, once nothing is shown. */
static pid_t
type(int ours, int theirs, const char *text)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (int i = 0; i < 3000 && echoes(theirs); i++)
			usleep(10000);
		_exit(write(ours, text, strlen(text)) < 0);
	}
	assert_true(pid > 0);
	return pid;
}

static void
test_terminal(void **state)
{
	static const struct {
		const char *typed, *line;
		int result;
	} cases[] = {
		{"secret\n",      "secret",   0       },
		{ "x\177secr\n",  "secr",     0       },
		{ "ab\003",       "ab",       QE_EOF  },
		{ "\034",         "",         QE_EOF  },
		{ "123456789x\n", "12345678", QE_LIMIT},
	};
	char line[MAX + 1];
	int ours, theirs;

	(void)state;
	assert_int_equal(openpty(&ours, &theirs, NULL, NULL, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		pid_t pid = type(ours, theirs, cases[i].typed);
		int status = -1;

		assert_int_equal(ask(theirs, line), cases[i].result);
		assert_string_equal(line, cases[i].line);
		assert_true(echoes(theirs));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	close(ours);
	close(theirs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
