/* mail/maildir: names, content, nothing left behind, nothing overwritten. */
#include "mail/maildir.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

struct fixture {
	char dir[64];
	char maildir[96];
	int message;
};

static int
open_message(const char *dir, struct strv text)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/message", dir);
	unit_write(path, text);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	unit_make_dir(f->dir);
	snprintf(f->maildir, sizeof(f->maildir), "%s/Maildir", f->dir);
	assert_int_equal(maildir_make(f->maildir), 0);
	f->message = open_message(f->dir, STRV("Subject: x\n\nbody\n"));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	close(f->message);
	unit_remove(f->dir);
	free(f);
	return 0;
}

/* How many files part holds; the last one's path goes to last. */
static int
count(const struct fixture *f, const char *part, char last[512])
{
	char path[160];
	DIR *d;
	struct dirent *e;
	int n = 0;

	snprintf(path, sizeof(path), "%s/%s", f->maildir, part);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(last, 512, "%s/%s", path, e->d_name);
		n++;
	}
	closedir(d);
	return n;
}

static void
test_maildir_make_is_private(void **state)
{
	static const char *const parts[] = { "", "/tmp", "/new", "/cur" };
	struct fixture *f = *state;

	for (size_t i = 0; i < 4; i++) {
		char path[160];
		struct stat st;

		snprintf(path, sizeof(path), "%s%s", f->maildir, parts[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
	}
	errno = 0;
	assert_int_equal(maildir_make(f->maildir), QE_SYS);
	assert_int_equal(errno, EEXIST);
}

static void
test_maildir_is_completed(void **state)
{
	struct fixture *f = *state;
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/tmp/file", f->maildir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	snprintf(path, sizeof(path), "%s/new", f->maildir);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(maildir_complete(f->maildir), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(count(f, "tmp", path), 1);
	snprintf(path, sizeof(path), "%s/tmp/file", f->maildir);
	assert_int_equal(maildir_complete(path), QE_SYS);
	assert_int_equal(unlink(path), 0);
}

static void
test_maildir_delivers(void **state)
{
	struct fixture *f = *state;
	char path[512];
	struct buf text;
	struct stat st;

	/* The position in the message is nobody's business. */
	assert_int_equal(lseek(f->message, 5, SEEK_SET), 5);
	assert_int_equal(
	    maildir_deliver(f->maildir, STRV("Return-Path: <>\n"), f->message),
	    MAILDIR_OK);
	assert_int_equal(lseek(f->message, 0, SEEK_CUR), 5);
	assert_int_equal(count(f, "tmp", path), 0);
	assert_int_equal(count(f, "new", path), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_nlink, 1);
	text = unit_read(path);
	assert_buf(&text, "Return-Path: <>\nSubject: x\n\nbody\n");
	buf_free(&text);
}

static void
test_maildir_name_has_its_form(void **state)
{
	struct fixture *f = *state;
	char path[512], host[65], pid[24];
	const char *name, *dot;

	assert_int_equal(
	    maildir_deliver(f->maildir, STRV_EMPTY, f->message), MAILDIR_OK);
	count(f, "new", path);
	name = strrchr(path, '/') + 1;
	dot = strchr(name, '.');
	assert_non_null(dot);
	assert_int_equal(strspn(name, "0123456789"), (size_t)(dot - name));
	snprintf(pid, sizeof(pid), ".%ld", (long)getpid());
	assert_int_equal(strncmp(dot, pid, strlen(pid)), 0);
	dot = strchr(dot + 1, '.');
	assert_non_null(dot);
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	if (strpbrk(host, "/:") == NULL)
		assert_int_equal(strncmp(dot + 1, host, strlen(host)), 0);
	/* "Subject: x\n\nbody\n" */
	assert_string_equal(strrchr(name, ','), ",S=17");
	assert_null(strchr(name, ':'));
}

static void
test_maildir_many_in_a_second_do_not_collide(void **state)
{
	struct fixture *f = *state;
	char path[512];

	for (int i = 0; i < 20; i++)
		assert_int_equal(
		    maildir_deliver(f->maildir, STRV_EMPTY, f->message),
		    MAILDIR_OK);
	assert_int_equal(count(f, "new", path), 20);
}

/* Sizes around the copy buffer's, with a short and a very long prefix. */
static void
test_maildir_copies_any_size(void **state)
{
	static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 300000 };
	static const size_t prefixes[] = { 0, 100, 32768, 32769, 200000 };
	struct fixture *f = *state;

	for (size_t i = 0; i < 6 * 5; i++) {
		size_t size = sizes[i / 5], prefix = prefixes[i % 5];
		char *bytes = malloc(size + prefix + 1);
		char path[512];
		struct buf text;
		int fd;

		assert_non_null(bytes);
		for (size_t j = 0; j < size + prefix; j++)
			bytes[j] = (char)(j * 7 + j / 256);
		fd = open_message(f->dir, strv_from(bytes + prefix, size));
		assert_int_equal(
		    maildir_deliver(f->maildir, strv_from(bytes, prefix), fd),
		    MAILDIR_OK);
		assert_int_equal(count(f, "new", path), 1);
		text = unit_read(path);
		assert_same(buf_view(&text), strv_from(bytes, size + prefix));
		assert_int_equal(
		    strtoul(strstr(path, ",S=") + 3, NULL, 10), size + prefix);
		unlink(path);
		buf_free(&text);
		close(fd);
		free(bytes);
	}
}

static void
test_maildir_refuses_what_is_none(void **state)
{
	struct fixture *f = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/none", f->dir);
	assert_int_equal(
	    maildir_deliver(path, STRV_EMPTY, f->message), MAILDIR_CHDIR);
	snprintf(path, sizeof(path), "%s/message", f->dir);
	assert_int_equal(
	    maildir_deliver(path, STRV_EMPTY, f->message), MAILDIR_CHDIR);
	snprintf(path, sizeof(path), "%s/tmp", f->maildir);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(
	    maildir_deliver(f->maildir, STRV_EMPTY, f->message), MAILDIR_CHDIR);
}

static void
test_maildir_read_error_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	char path[512];
	int fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(
	    maildir_deliver(f->maildir, STRV("x\n"), fd), MAILDIR_READ);
	assert_int_equal(errno, EISDIR);
	close(fd);
	assert_int_equal(count(f, "tmp", path), 0);
	assert_int_equal(count(f, "new", path), 0);
}

static void
test_maildir_too_big_is_quota_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, small;
	enum maildir_result r;
	char path[512];
	int error;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 4;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = maildir_deliver(f->maildir, STRV("x\n"), f->message);
	error = errno;
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(r, MAILDIR_QUOTA);
	assert_int_equal(error, EFBIG);
	assert_int_equal(count(f, "tmp", path), 0);
	assert_int_equal(count(f, "new", path), 0);
}

static void
test_maildir_leaks_no_descriptor(void **state)
{
	struct fixture *f = *state;
	int before = dup(0), after;

	close(before);
	maildir_deliver(f->maildir, STRV_EMPTY, f->message);
	maildir_deliver("/none", STRV_EMPTY, f->message);
	maildir_deliver(f->maildir, STRV_EMPTY, -1);
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_maildir_make_is_private),
		TEST(test_maildir_is_completed),
		TEST(test_maildir_delivers),
		TEST(test_maildir_name_has_its_form),
		TEST(test_maildir_many_in_a_second_do_not_collide),
		TEST(test_maildir_copies_any_size),
		TEST(test_maildir_refuses_what_is_none),
		TEST(test_maildir_read_error_leaves_nothing),
		TEST(test_maildir_too_big_is_quota_and_leaves_nothing),
		TEST(test_maildir_leaks_no_descriptor),
	};

	return RUN_TESTS(tests);
}
