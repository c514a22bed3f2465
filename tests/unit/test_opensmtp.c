/* Logins by POP3 that let a client relay for a while. */
#include "conf/opensmtp.h"
#include "unit.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

enum { NOW = 1000000, LIFETIME = 100 };

static char directory[64];

static int
make_directory(void **state)
{
	(void)state;
	unit_make_dir(directory);
	return 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	unit_remove(directory);
	return 0;
}

static void
stamp(const char *name, time_t seconds)
{
	const struct timespec times[2] = {
		{seconds,  0},
                { seconds, 0}
	};
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static int
find(const char *ip)
{
	return opensmtp_find(strv_of(directory), strv_of(ip), LIFETIME, NOW);
}

static void
test_find_by_age(void **state)
{
	(void)state;
	assert_int_equal(find("192.0.2.1"), QE_ABSENT);
	stamp("192.0.2.1", NOW - LIFETIME + 1);
	assert_int_equal(find("192.0.2.1"), 0);
	stamp("192.0.2.1", NOW - LIFETIME);
	assert_int_equal(find("192.0.2.1"), QE_ABSENT);
	stamp("192.0.2.1", NOW + LIFETIME - 1);
	assert_int_equal(find("192.0.2.1"), 0);
	stamp("192.0.2.1", NOW + LIFETIME);
	assert_int_equal(find("192.0.2.1"), QE_ABSENT);
}

static void
test_find_knows_one_spelling_of_an_address(void **state)
{
	(void)state;
	stamp("2001:db8::1", NOW);
	assert_int_equal(find("2001:0DB8:0:0::1"), 0);
	stamp("192.0.2.1", NOW);
	assert_int_equal(find("::ffff:192.0.2.1"), 0);
}

static void
test_find_believes_no_other_names(void **state)
{
	(void)state;
	stamp("evil", NOW);
	assert_int_equal(find("evil"), QE_SYNTAX);
	assert_int_equal(find("."), QE_SYNTAX);
	assert_int_equal(find("../192.0.2.1"), QE_SYNTAX);
	assert_int_equal(find(""), QE_SYNTAX);
}

static void
test_find_counts_regular_files_only(void **state)
{
	char path[160];

	(void)state;
	stamp("192.0.2.1", NOW);
	snprintf(path, sizeof(path), "%s/192.0.2.2", directory);
	assert_int_equal(symlink("192.0.2.1", path), 0);
	assert_int_equal(find("192.0.2.2"), QE_ABSENT);
}

static void
test_find_tells_trouble_from_absence(void **state)
{
	(void)state;
	assert_int_equal(opensmtp_find(STRV("/absent/directory"),
			     STRV("192.0.2.1"), LIFETIME, NOW),
	    QE_SYS);
	assert_int_equal(errno, ENOENT);
}

static void
test_path(void **state)
{
	struct buf path = BUF_INIT;
	struct buf small = BUF_LIMIT(3);

	(void)state;
	assert_int_equal(opensmtp_path(STRV("run/pop"), STRV("::1"), &path), 0);
	assert_buf(&path, "run/pop/::1");
	assert_int_equal(
	    opensmtp_path(STRV("run/pop"), STRV("::1"), &small), QE_NOMEM);
	buf_free(&path);
	buf_free(&small);
}

static void
test_touch_makes_and_renews(void **state)
{
	int64_t now = (int64_t)time(NULL);

	(void)state;
	assert_int_equal(
	    opensmtp_touch(strv_of(directory), STRV("192.0.2.1")), 0);
	assert_int_equal(
	    opensmtp_find(strv_of(directory), STRV("192.0.2.1"), LIFETIME, now),
	    0);
	stamp("192.0.2.1", NOW);
	assert_int_equal(
	    opensmtp_touch(strv_of(directory), STRV("::ffff:192.0.2.1")), 0);
	assert_int_equal(
	    opensmtp_find(strv_of(directory), STRV("192.0.2.1"), LIFETIME, now),
	    0);
	assert_int_equal(
	    opensmtp_touch(strv_of(directory), STRV("../192.0.2.1")),
	    QE_SYNTAX);
	assert_int_equal(
	    opensmtp_touch(STRV("/absent/directory"), STRV("192.0.2.1")),
	    QE_SYS);
}

/* Written as root into a directory that others may write. */
static void
test_touch_follows_nobody(void **state)
{
	char path[160], victim[160];
	struct stat before, after;

	(void)state;
	stamp("victim", NOW);
	snprintf(victim, sizeof(victim), "%s/victim", directory);
	assert_int_equal(stat(victim, &before), 0);
	snprintf(path, sizeof(path), "%s/192.0.2.1", directory);
	assert_int_equal(symlink("victim", path), 0);
	assert_int_equal(
	    opensmtp_touch(strv_of(directory), STRV("192.0.2.1")), QE_SYS);
	snprintf(path, sizeof(path), "%s/192.0.2.2", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(
	    opensmtp_touch(strv_of(directory), STRV("192.0.2.2")), QE_SYS);
	assert_int_equal(stat(victim, &after), 0);
	assert_int_equal(before.st_mtime, after.st_mtime);
}

/* A lock that somebody holds on the directory and on the file. */
static void
test_touch_takes_no_lock(void **state)
{
	char path[160];
	int dir, file;

	(void)state;
	stamp("192.0.2.1", NOW);
	snprintf(path, sizeof(path), "%s/192.0.2.1", directory);
	dir = open(directory, O_RDONLY | O_CLOEXEC);
	file = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(dir, LOCK_EX), 0);
	assert_int_equal(flock(file, LOCK_EX), 0);
	assert_int_equal(lockf(file, F_LOCK, 0), 0);
	alarm(20);
	assert_int_equal(
	    opensmtp_touch(strv_of(directory), STRV("192.0.2.1")), 0);
	alarm(0);
	close(file);
	close(dir);
}

/* As many clients at a time, known and new ones, as CPUs would take. */
static void
test_touch_ten_thousand_clients(void **state)
{
	enum { CLIENTS = 10000, PROCESSES = 4 };
	char name[32];
	int status;

	(void)state;
	for (int p = 0; p < PROCESSES; p++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		for (int i = p; pid == 0 && i < CLIENTS; i += PROCESSES) {
			snprintf(name, sizeof(name), "192.0.%d.%d", i / 250,
			    i % 250);
			if (opensmtp_touch(strv_of(directory), strv_of(name)) !=
				0 ||
			    opensmtp_touch(strv_of(directory), strv_of(name)) !=
				0)
				_exit(1);
		}
		if (pid == 0)
			_exit(0);
	}
	for (int p = 0; p < PROCESSES; p++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(name, sizeof(name), "192.0.%d.%d", i / 250, i % 250);
		assert_int_equal(
		    opensmtp_find(strv_of(directory), strv_of(name), LIFETIME,
			(int64_t)time(NULL)),
		    0);
	}
}

static uint64_t
sweep(int64_t now)
{
	uint64_t removed = 99;

	assert_int_equal(opensmtp_sweep(directory, LIFETIME, now, &removed), 0);
	return removed;
}

static bool
exists(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

static void
test_sweep_removes_what_is_old(void **state)
{
	(void)state;
	stamp("192.0.2.1", NOW - LIFETIME);
	stamp("192.0.2.2", NOW - LIFETIME + 1);
	stamp("2001:db8::1", 1);
	stamp("2001:db8::2", NOW + LIFETIME); /* no login: a wrong clock */
	stamp("README", 1);
	stamp("192.0.2.01", 1);
	stamp("2001:DB8::1", 1);
	stamp(".192.0.2.1", 1);
	assert_int_equal(sweep(NOW), 3);
	assert_false(exists("192.0.2.1"));
	assert_true(exists("192.0.2.2"));
	assert_false(exists("2001:db8::1"));
	assert_false(exists("2001:db8::2"));
	assert_true(exists("README"));
	assert_true(exists("192.0.2.01"));
	assert_true(exists("2001:DB8::1"));
	assert_true(exists(".192.0.2.1"));
	assert_int_equal(sweep(NOW), 0);
	assert_int_equal(
	    opensmtp_sweep("/absent", LIFETIME, NOW, &(uint64_t){ 0 }), QE_SYS);
}

/* A sweeper that was killed, and a login just before. */
static void
test_sweep_settles_what_was_left_aside(void **state)
{
	(void)state;
	stamp(".sweep.192.0.2.1", NOW);
	stamp(".sweep.192.0.2.2", 1);
	stamp(".sweep.192.0.2.3", NOW);
	stamp("192.0.2.3", NOW);
	stamp(".sweep.other", 1);
	assert_int_equal(sweep(NOW), 2);
	assert_true(exists("192.0.2.1"));
	assert_false(exists("192.0.2.2"));
	assert_true(exists("192.0.2.3"));
	assert_false(exists(".sweep.192.0.2.3"));
	assert_true(exists(".sweep.other"));
}

/*
 * It may be aside for a moment, but then it comes back: as soon as the sweeper
 * gets the processor.
 */
static bool
is_found_soon(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int tries = 0; tries < 20000; tries++) {
		if (opensmtp_find(strv_of(directory), STRV("192.0.2.1"),
			LIFETIME, (int64_t)time(NULL)) == 0)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* Each touch counts, though old files are swept all the time. */
static void
test_sweep_never_takes_a_login(void **state)
{
	enum { LOGINS = 2000 };
	pid_t us = getpid(), sweeper = fork();
	int status;

	(void)state;
	assert_true(sweeper >= 0);
	while (sweeper == 0 && getppid() == us) {
		/* One that fails is made up for by the next. */
		uint64_t removed;

		if (opensmtp_sweep(directory, LIFETIME, (int64_t)time(NULL),
			&removed) != 0)
			sched_yield();
	}
	if (sweeper == 0)
		_exit(0);
	for (int i = 0; i < LOGINS; i++) {
		stamp("192.0.2.1", 1);
		assert_int_equal(
		    opensmtp_touch(strv_of(directory), STRV("192.0.2.1")), 0);
		assert_true(is_found_soon());
	}
	kill(sweeper, SIGKILL);
	waitpid(sweeper, &status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_find_by_age, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    test_find_knows_one_spelling_of_an_address, make_directory,
		    remove_directory),
		cmocka_unit_test_setup_teardown(
		    test_find_believes_no_other_names, make_directory,
		    remove_directory),
		cmocka_unit_test_setup_teardown(
		    test_find_counts_regular_files_only, make_directory,
		    remove_directory),
		cmocka_unit_test(test_find_tells_trouble_from_absence),
		cmocka_unit_test(test_path),
		cmocka_unit_test_setup_teardown(test_touch_makes_and_renews,
		    make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_touch_follows_nobody,
		    make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    test_touch_takes_no_lock, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_touch_ten_thousand_clients,
		    make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_sweep_removes_what_is_old,
		    make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    test_sweep_settles_what_was_left_aside, make_directory,
		    remove_directory),
		cmocka_unit_test_setup_teardown(test_sweep_never_takes_a_login,
		    make_directory, remove_directory),
	};

	return RUN_TESTS(tests);
}
