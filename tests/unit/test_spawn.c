/* base/spawn: descriptors, signals, exit codes, search in PATH. */
#include "base/clock.h"
#include "base/env.h"
#include "base/io.h"
#include "base/spawn.h"
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static char dir[64];

static int
setup(void **state)
{
	(void)state;
	unit_make_dir(dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	env_set("PATH", "/usr/bin:/bin");
	unit_remove(dir);
	return 0;
}

/* Runs it and returns its exit code. */
static int
run(const struct spawn *s)
{
	pid_t pid = -1;
	int status = -1;

	assert_int_equal(spawn_program(s, &pid), 0);
	assert_true(pid > 0);
	assert_int_equal(spawn_wait(pid, &status), 0);
	return spawn_exit_code(status);
}

/* Runs a shell script with the descriptors given and returns its output. */
static void
run_script(const char *script, struct spawn s, char *out, size_t size)
{
	const char *const words[] = { "sh", "-c", script, NULL };
	char **argv = spawn_argv(words);
	ssize_t got;
	int fds[2];

	assert_non_null(argv);
	assert_int_equal(io_pipe(fds), 0);
	s.path = "/bin/sh";
	s.argv = argv;
	s.fds[0] = SPAWN_FD_NULL;
	s.fds[1] = fds[1];
	s.fds[2] = 2;
	s.fd_count = s.fd_count < 3 ? 3 : s.fd_count;
	assert_int_equal(run(&s), 0);
	close(fds[1]);
	got = read(fds[0], out, size - 1);
	assert_true(got >= 0);
	out[got] = '\0';
	close(fds[0]);
	free(argv);
}

static void
test_spawn_places_descriptors(void **state)
{
	struct spawn s = { .fd_count = 6, .fds = { 0 } };
	char out[64];
	int a[2], b[2];

	(void)state;
	assert_int_equal(io_pipe(a), 0);
	assert_int_equal(io_pipe(b), 0);
	assert_int_equal(write(a[1], "A\n", 2), 2);
	assert_int_equal(write(b[1], "B\n", 2), 2);
	s.fds[3] = b[0];
	s.fds[4] = -1;
	s.fds[5] = a[0];
	run_script("read x <&5; read y <&3; echo $x$y; "
		   "test -e /proc/self/fd/4 && echo open; "
		   "ls -l /proc/self/fd/0 | sed 's/.* -> //'",
	    s, out, sizeof(out));
	assert_string_equal(out, "AB\n/dev/null\n");
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}

/* Targets that are sources of others: all orders come out right. */
static void
test_spawn_swaps_descriptors(void **state)
{
	struct spawn s = { .fds = { 0 } };
	char out[64];
	int a[2], b[2];

	(void)state;
	assert_int_equal(io_pipe(a), 0);
	assert_int_equal(io_pipe(b), 0);
	assert_int_equal(write(a[1], "A\n", 2), 2);
	assert_int_equal(write(b[1], "B\n", 2), 2);
	assert_true(a[0] < SPAWN_FDS_MAX && b[0] < SPAWN_FDS_MAX);
	s.fd_count = (size_t)(a[0] > b[0] ? a[0] : b[0]) + 1;
	for (size_t i = 0; i < s.fd_count; i++)
		s.fds[i] = -1;
	s.fds[a[0]] = b[0];
	s.fds[b[0]] = a[0];
	assert_true(a[0] < 10 && b[0] < 10); /* the shell's notation */
	char script[128];
	snprintf(script, sizeof(script), "read x <&%d; read y <&%d; echo $x$y",
	    a[0], b[0]);
	run_script(script, s, out, sizeof(out));
	assert_string_equal(out, "BA\n");
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}

static void
test_spawn_environment_and_directory(void **state)
{
	char *envp[] = { (char[]){ "X=y" }, NULL };
	struct spawn s = { .envp = envp, .cwd = dir };
	char out[256], want[128];

	(void)state;
	run_script("echo $X; pwd", s, out, sizeof(out));
	snprintf(want, sizeof(want), "y\n%s\n", dir);
	assert_string_equal(out, want);
}

static void
test_spawn_resets_signals(void **state)
{
	/* Others may have been ignored before we were started. */
	const unsigned long long watched = 1ULL << (SIGPIPE - 1) |
					   1ULL << (SIGXFSZ - 1) |
					   1ULL << (SIGTERM - 1);
	struct spawn s = { .fds = { 0 } };
	char out[256];
	sigset_t set;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	run_script("grep -E '^Sig(Blk|Ign)' /proc/self/status | "
		   "sed 's/.*[[:space:]]//'",
	    s, out, sizeof(out));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	assert_int_equal(strtoull(out, NULL, 16) & watched, 0);
	assert_int_equal(strtoull(strchr(out, '\n'), NULL, 16) & watched, 0);
}

static void
test_spawn_exit_codes(void **state)
{
	char *argv[] = { (char[]){ "x" }, NULL };
	struct spawn s = { .path = "/none/such", .argv = argv };
	volatile int error = -1;

	(void)state;
	assert_int_equal(run(&s), 111);
	s.exit_exec_temp = 71;
	assert_int_equal(run(&s), 71);
	s.exit_exec_perm = 100;
	s.start_error = &error;
	assert_int_equal(run(&s), 100);
	assert_int_equal(error, ENOENT);
	s.path = "/bin/true";
	assert_int_equal(run(&s), 0);
	assert_int_equal(error, 0);
	s.path = "/bin/false";
	assert_int_equal(run(&s), 1);
	s.cwd = "/none/such";
	assert_int_equal(run(&s), 111);
	s.exit_cwd = 61;
	assert_int_equal(run(&s), 61);
}

static void
test_spawn_exit_code_of_a_signal(void **state)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" },
		(char[]){ "kill -9 $$" }, NULL };
	struct spawn s = { .path = "/bin/sh", .argv = argv };

	(void)state;
	assert_int_equal(run(&s), -1);
}

static void
test_spawn_searches_the_path(void **state)
{
	char *argv[] = { (char[]){ "prog" }, NULL };
	struct spawn s = {
		.path = "prog", .argv = argv, .exit_exec_perm = 100
	};
	char path[160], value[256];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/prog", dir);
	snprintf(value, sizeof(value), "/none:%s", dir);
	assert_int_equal(env_set("PATH", value), 0);
	assert_int_equal(run(&s), 100);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("#!/bin/sh\nexit 42\n", f);
	fclose(f);
	/* Not executable: not it. */
	assert_int_equal(run(&s), 100);
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(run(&s), 42);
}

static void
test_spawn_long_path_is_searched_as_far_as_it_goes(void **state)
{
	char *argv[] = { (char[]){ "true" }, NULL };
	struct spawn s = { .path = "true", .argv = argv };
	struct buf path = BUF_INIT;

	(void)state;
	buf_add_str(&path, "/usr/bin:/bin:/");
	for (int i = 0; i < 8000; i++)
		buf_add_char(&path, 'x');
	assert_int_equal(env_set("PATH", buf_cstr(&path)), 0);
	buf_free(&path);
	assert_int_equal(run(&s), 0);
}

static void
test_spawn_argv_copies(void **state)
{
	const char *const words[] = { "a", "", "long word", NULL };
	char **argv = spawn_argv(words);

	(void)state;
	assert_non_null(argv);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(argv[i], words[i]);
		assert_true(argv[i] != words[i]);
	}
	assert_null(argv[3]);
	free(argv);
}

static void
test_spawn_argv_split(void **state)
{
	struct buf line = BUF_INIT;
	char **argv = NULL;

	(void)state;
	buf_add_str(&line, " \ta b\t\tlong-word ");
	assert_int_equal(spawn_argv_split(&line, &argv), 0);
	assert_string_equal(argv[0], "a");
	assert_string_equal(argv[1], "b");
	assert_string_equal(argv[2], "long-word");
	assert_null(argv[3]);
	free(argv);
	buf_reset(&line);
	buf_add_str(&line, " \t ");
	assert_int_equal(spawn_argv_split(&line, &argv), 0);
	assert_null(argv);
	buf_reset(&line);
	for (int i = 0; i < SPAWN_WORDS_MAX; i++)
		buf_add_str(&line, "x ");
	assert_int_equal(spawn_argv_split(&line, &argv), 0);
	assert_non_null(argv);
	free(argv);
	buf_reset(&line);
	for (int i = 0; i <= SPAWN_WORDS_MAX; i++)
		buf_add_str(&line, "x ");
	assert_int_equal(spawn_argv_split(&line, &argv), QE_LIMIT);
	buf_free(&line);
}

static pid_t
start_script(const char *script)
{
	const char *const words[] = { "sh", "-c", script, NULL };
	char **argv = spawn_argv(words);
	struct spawn s = {
		.path = "/bin/sh",
		.argv = argv,
		.fds = {SPAWN_FD_NULL, 1, 2},
		.fd_count = 3,
		.own_group = true
	};
	pid_t pid = -1;

	assert_non_null(argv);
	assert_int_equal(spawn_program(&s, &pid), 0);
	free(argv);
	return pid;
}

static void
test_spawn_wait_until_gives_the_status(void **state)
{
	int status = -1;
	pid_t pid = start_script("exit 7");

	(void)state;
	assert_int_equal(spawn_wait_until(pid, clock_deadline(10), &status), 0);
	assert_int_equal(spawn_exit_code(status), 7);
	assert_int_equal(
	    spawn_wait_until(pid, clock_deadline(10), &status), QE_SYS);
}

static void
test_spawn_has_ended(void **state)
{
	char *argv[] = { "sh", "-c", "read x; exit 3", NULL };
	struct spawn s = { .path = "/bin/sh", .argv = argv, .fd_count = 3 };
	struct pollfd p = { .events = POLLIN };
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(io_pipe(fds), 0);
	s.fds[0] = fds[0];
	s.fds[1] = 1;
	s.fds[2] = 2;
	assert_int_equal(spawn_program(&s, &pid), 0);
	io_close(&fds[0]);
	p.fd = spawn_pidfd(pid);
	assert_int_equal(spawn_has_ended(pid), 0);
	if (p.fd >= 0)
		assert_int_equal(poll(&p, 1, 0), 0);
	io_close(&fds[1]);
	if (p.fd >= 0)
		assert_int_equal(poll(&p, 1, 20000), 1);
	while (spawn_has_ended(pid) == 0)
		clock_sleep_ms(5);
	/* It is still there to be waited for. */
	assert_int_equal(spawn_has_ended(pid), 1);
	assert_int_equal(spawn_wait(pid, &status), 0);
	assert_int_equal(spawn_exit_code(status), 3);
	assert_true(spawn_has_ended(pid) < 0);
	io_close(&p.fd);
}

static void
test_spawn_kills_the_group_after_the_deadline(void **state)
{
	struct buf text;
	char path[96], script[512];
	pid_t pid, child;
	int status = -1;

	(void)state;
	snprintf(path, sizeof(path), "%s/pid", dir);
	snprintf(script, sizeof(script),
	    "sleep 60 & echo $! > %s.new; mv %s.new %s; wait", path, path,
	    path);
	pid = start_script(script);
	for (int i = 0; i < 3000 && access(path, F_OK) != 0; i++)
		clock_sleep_ms(10);
	assert_int_equal(
	    spawn_wait_until(pid, clock_mono_ms() + 20, &status), QE_TIMEOUT);
	spawn_kill_group(pid);
	assert_int_equal(waitpid(pid, &status, 0), -1);
	text = unit_read(path);
	child = (pid_t)strtol(buf_cstr(&text), NULL, 10);
	buf_free(&text);
	assert_true(child > 1);
	/* Killed, and waited for by whoever inherits orphans. */
	for (int i = 0; i < 3000 && kill(child, 0) == 0; i++) {
		char stat[64];
		struct buf line;

		snprintf(stat, sizeof(stat), "/proc/%d/stat", (int)child);
		if (access(stat, F_OK) != 0)
			break;
		line = unit_read(stat);
		status = strstr(buf_cstr(&line), ") Z ") != NULL;
		buf_free(&line);
		if (status)
			return;
		clock_sleep_ms(10);
	}
	assert_int_equal(kill(child, 0), -1);
}

static void
test_env_with_replaces_and_adds(void **state)
{
	char one[] = "ONE=new", two[] = "TWO=2";
	char *const more[] = { one, two, NULL };
	size_t ones = 0, twos = 0, longer = 0;
	char **all;

	(void)state;
	assert_int_equal(env_set("ONE", "old"), 0);
	assert_int_equal(env_set("ONEMORE", "kept"), 0);
	all = env_with(more);
	assert_non_null(all);
	for (size_t i = 0; all[i] != NULL; i++) {
		ones += strncmp(all[i], "ONE=", 4) == 0;
		twos += strcmp(all[i], "TWO=2") == 0;
		longer += strcmp(all[i], "ONEMORE=kept") == 0;
		assert_string_not_equal(all[i], "ONE=old");
	}
	assert_int_equal(ones, 1);
	assert_int_equal(twos, 1);
	assert_int_equal(longer, 1);
	assert_string_equal(env_get("ONE"), "old");
	free(all);
	env_unset("ONE");
	env_unset("ONEMORE");
}

static void
write_a_word(void *arg)
{
	if (write(1, arg, strlen(arg)) < 0)
		_exit(1);
}

/* With the child's descriptors, and before the program. */
static void
test_spawn_calls_before_exec(void **state)
{
	struct spawn s = { .before = write_a_word, .before_arg = "one " };
	char out[64];

	(void)state;
	run_script("echo two", s, out, sizeof(out));
	assert_string_equal(out, "one two\n");
}

/* Where a source is a target of another, or already in place. */
static void
test_spawn_keeps_what_is_in_place(void **state)
{
	struct spawn s = {
		.fd_count = 12, .fds = {[10] = 10, [11] = 10}
	};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char out[64];

	(void)state;
	assert_int_equal(dup3(fd, 10, O_CLOEXEC), 10);
	run_script("ls -l /proc/self/fd/10 /proc/self/fd/11 | "
		   "sed 's/.* -> //'",
	    s, out, sizeof(out));
	assert_string_equal(out, "/dev/null\n/dev/null\n");
	close(fd);
	close(10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_spawn_places_descriptors),
		TEST(test_spawn_swaps_descriptors),
		TEST(test_spawn_keeps_what_is_in_place),
		TEST(test_spawn_calls_before_exec),
		TEST(test_spawn_environment_and_directory),
		TEST(test_spawn_resets_signals),
		TEST(test_spawn_exit_codes),
		TEST(test_spawn_exit_code_of_a_signal),
		TEST(test_spawn_searches_the_path),
		TEST(test_spawn_long_path_is_searched_as_far_as_it_goes),
		TEST(test_spawn_argv_copies),
		TEST(test_spawn_argv_split),
		TEST(test_spawn_wait_until_gives_the_status),
		TEST(test_spawn_has_ended),
		TEST(test_spawn_kills_the_group_after_the_deadline),
		TEST(test_env_with_replaces_and_adds),
	};

	return RUN_TESTS(tests);
}
