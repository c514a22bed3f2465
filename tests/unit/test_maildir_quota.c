/* mail/maildir_quota: refusing by a fresh count, noting what came. */
#include "mail/maildir.h"
#include "mail/maildir_quota.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { OLD_SECONDS = 2 * MAILDIR_QUOTA_TRUST };

struct fixture {
	char dir[64];
	int message;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	unit_make_dir(f->dir);
	assert_int_equal(chdir(f->dir), 0);
	assert_int_equal(maildir_make("M"), 0);
	unit_write("message", STRV("0123456789"));
	f->message = open("message", O_RDONLY | O_CLOEXEC);
	assert_true(f->message >= 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	close(f->message);
	assert_int_equal(chdir("/"), 0);
	unit_remove(f->dir);
	free(f);
	return 0;
}

static void
expect_file(const char *path, const char *content)
{
	struct buf text = unit_read(path);

	assert_same(buf_view(&text), strv_of(content));
	buf_free(&text);
}

/* As if the file had not been touched for long. */
static void
make_old(const char *path)
{
	struct timeval times[2];

	gettimeofday(&times[0], NULL);
	times[0].tv_sec -= OLD_SECONDS;
	times[1] = times[0];
	assert_int_equal(utimes(path, times), 0);
}

static enum maildir_result
deliver(const struct fixture *f, const char *dir)
{
	return maildir_deliver(dir, STRV_EMPTY, f->message);
}

static void
test_quota_none(void **state)
{
	assert_int_equal(deliver(*state, "M"), MAILDIR_OK);
	assert_int_equal(access("M/maildirsize", F_OK), -1);
}

/* Only a quota: what is there is counted, with folders, without the trash. */
static void
test_quota_counts_and_notes(void **state)
{
	assert_int_equal(maildir_make("M/.Sent"), 0);
	assert_int_equal(maildir_make("M/.Trash"), 0);
	unit_write("M/cur/1.h,S=7:2,S", STRV("x"));
	unit_write("M/new/2.h", STRV("12345"));
	unit_write("M/cur/3.h,S=1000:2,ST", STRV("x"));
	unit_write("M/.Sent/cur/4.h:2,", STRV("123"));
	unit_write("M/.Trash/cur/5.h,S=1000:2,", STRV("x"));
	unit_write("M/tmp/6.h,S=1000", STRV("x"));
	unit_write("M/maildirsize", STRV("25S"));
	assert_int_equal(deliver(*state, "M"), MAILDIR_OK);
	expect_file("M/maildirsize", "25S\n15 3\n10 1\n");
	/* 25 of 25: no byte more, and nothing is written. */
	assert_int_equal(deliver(*state, "M/"), MAILDIR_FULL);
	expect_file("M/maildirsize", "25S\n25 4\n");
	assert_int_equal(deliver(*state, "M"), MAILDIR_FULL);
	expect_file("M/maildirsize", "25S\n25 4\n");
}

static void
test_quota_of_messages(void **state)
{
	unit_write("M/maildirsize", STRV("1C\n"));
	assert_int_equal(deliver(*state, "M"), MAILDIR_OK);
	assert_int_equal(deliver(*state, "M"), MAILDIR_FULL);
}

/* The sum says full and the files do not: they are right. */
static void
test_quota_does_not_refuse_by_an_old_sum(void **state)
{
	unit_write("M/maildirsize", STRV("50S\n40 4\n5 1\n"));
	assert_int_equal(deliver(*state, "M"), MAILDIR_OK);
	expect_file("M/maildirsize", "50S\n0 0\n10 1\n");
	unit_write("M/maildirsize", STRV("50S\n45 4\n"));
	assert_int_equal(deliver(*state, "M"), MAILDIR_FULL);
	make_old("M/maildirsize");
	assert_int_equal(deliver(*state, "M"), MAILDIR_OK);
}

static void
test_quota_counts_anew_after_damage(void **state)
{
	struct buf text = BUF_INIT;

	unit_write("M/maildirsize", STRV("50S\n40 4\ngarbage"));
	assert_int_equal(deliver(*state, "M"), MAILDIR_OK);
	expect_file("M/maildirsize", "50S\n0 0\n10 1\n");
	buf_add_str(&text, "50S\n");
	while (text.len <= MAILDIR_QUOTA_FILE_MAX)
		buf_add_str(&text, "0 0\n");
	unit_write("M/maildirsize", buf_view(&text));
	buf_free(&text);
	assert_int_equal(deliver(*state, "M"), MAILDIR_OK);
	expect_file("M/maildirsize", "50S\n10 1\n10 1\n");
}

static void
test_quota_that_is_none_defers(void **state)
{
	unit_write("M/maildirsize", STRV("lots\n"));
	assert_int_equal(deliver(*state, "M"), MAILDIR_BAD_QUOTA);
	unlink("M/maildirsize");
	assert_int_equal(mkfifo("M/maildirsize", 0600), 0);
	assert_int_equal(deliver(*state, "M"), MAILDIR_BAD_QUOTA);
	unlink("M/maildirsize");
	assert_int_equal(mkdir("M/maildirsize", 0700), 0);
	assert_int_equal(deliver(*state, "M"), MAILDIR_WRITE);
}

static void
test_quota_of_a_folder_is_its_parents(void **state)
{
	assert_int_equal(maildir_make("M/.Work"), 0);
	unit_write("M/.Work/maildirfolder", STRV(""));
	unit_write("M/maildirsize", STRV("15S\n"));
	assert_int_equal(deliver(*state, "./M/.Work/"), MAILDIR_OK);
	expect_file("M/maildirsize", "15S\n0 0\n10 1\n");
	assert_int_equal(deliver(*state, "M/.Work"), MAILDIR_FULL);
	/* Without the mark it is a Maildir of its own. */
	unlink("M/.Work/maildirfolder");
	assert_int_equal(deliver(*state, "M/.Work"), MAILDIR_OK);
}

static void
test_quota_removed(void **state)
{
	int fd = open("M", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	maildir_quota_removed(fd, 10, 1); /* nothing to note it in */
	unit_write("M/maildirsize", STRV("15S\n10 1\n"));
	maildir_quota_removed(fd, 10, 1);
	expect_file("M/maildirsize", "15S\n10 1\n-10 -1\n");
	close(fd);
}

/* Somebody has counted between our opening the file and our noting. */
static void
test_quota_note_finds_the_new_file(void **state)
{
	int maildir = open("M", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct maildir_quota ours, others;

	(void)state;
	unit_write("M/maildirsize", STRV("1000S\n"));
	assert_int_equal(maildir_quota_open(maildir, false, &ours), 0);
	assert_int_equal(maildir_quota_open(maildir, false, &others), 0);
	assert_int_equal(maildir_quota_admit(&others, 10), 0);
	maildir_quota_note(&ours, 17, 1);
	expect_file("M/maildirsize", "1000S\n0 0\n17 1\n");
	/* What was taken away may not have been counted: not twice. */
	maildir_quota_note(&ours, -5, -1);
	expect_file("M/maildirsize", "1000S\n0 0\n17 1\n");
	maildir_quota_close(&ours);
	maildir_quota_close(&others);
	close(maildir);
}

enum { NOTERS = 4, NOTES = 250 };

/* Delivers and notes as fast as it can. */
static _Noreturn void
deliver_many(int maildir, int number)
{
	for (int i = 0; i < NOTES; i++) {
		struct maildir_quota q;
		char name[64];
		int fd;

		if (maildir_quota_open(maildir, false, &q) != 0)
			_exit(1);
		snprintf(name, sizeof(name), "M/new/%d.%d,S=10", i, number);
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0)
			_exit(1);
		close(fd);
		maildir_quota_note(&q, 10, 1);
		maildir_quota_close(&q);
	}
	_exit(0);
}

static volatile sig_atomic_t is_enough;

static void
be_enough(int signal_number)
{
	(void)signal_number;
	is_enough = 1;
}

/* Until TERM comes, but never in the middle: that could take a note along. */
static _Noreturn void
count_all_the_time(int maildir)
{
	while (!is_enough) {
		struct maildir_quota q;

		if (maildir_quota_open(maildir, false, &q) != 0)
			_exit(1);
		q.size.lines = 0; /* as if the sum could not be trusted */
		(void)maildir_quota_admit(&q, 1);
		maildir_quota_close(&q);
	}
	_exit(0);
}

/* A sum that forgets what was delivered would let the quota be passed. */
static void
test_quota_counts_lose_no_note(void **state)
{
	int maildir = open("M", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t pids[NOTERS], counter;
	struct maildirsize size;
	struct buf text;
	int status;

	(void)state;
	unit_write("M/maildirsize", STRV("100000000S\n"));
	signal(
	    SIGTERM, be_enough); /* in both: it may be asked to end at once */
	counter = fork();
	if (counter == 0)
		count_all_the_time(maildir);
	for (int i = 0; i < NOTERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			deliver_many(maildir, i);
	}
	for (int i = 0; i < NOTERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	kill(counter, SIGTERM);
	assert_int_equal(waitpid(counter, &status, 0), counter);
	assert_int_equal(status, 0);
	signal(SIGTERM, SIG_DFL);
	text = unit_read("M/maildirsize");
	assert_int_equal(maildirsize_parse(buf_view(&text), &size), 0);
	assert_true(size.messages >= NOTERS * NOTES);
	assert_int_equal(size.bytes, 10 * size.messages);
	buf_free(&text);
	close(maildir);
}

static void
test_quota_admit_leaks_nothing(void **state)
{
	struct maildir_quota q;
	int before = dup(0), after;
	int fd = open("M", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	close(before);
	unit_write("M/maildirsize", STRV("15S\n"));
	assert_int_equal(maildir_quota_open(fd, true, &q), 0);
	assert_int_equal(maildir_quota_admit(&q, 15), 0);
	assert_int_equal(maildir_quota_admit(&q, 16), QE_LIMIT);
	maildir_quota_note(&q, 15, 1);
	maildir_quota_close(&q);
	close(fd);
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
	expect_file("M/maildirsize", "15S\n0 0\n15 1\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_quota_none),
		TEST(test_quota_counts_and_notes),
		TEST(test_quota_of_messages),
		TEST(test_quota_does_not_refuse_by_an_old_sum),
		TEST(test_quota_counts_anew_after_damage),
		TEST(test_quota_that_is_none_defers),
		TEST(test_quota_of_a_folder_is_its_parents),
		TEST(test_quota_removed),
		TEST(test_quota_note_finds_the_new_file),
		TEST(test_quota_counts_lose_no_note),
		TEST(test_quota_admit_leaks_nothing),
	};

	return RUN_TESTS(tests);
}
