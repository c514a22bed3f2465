/* pop3/maildrop: names, order, sizes, and what the end of a session does. */
#include "mail/maildir.h"
#include "pop3/maildrop.h"
#include "unit.h"

#include <time.h>

enum { NOW = 1700000000 };

struct fixture {
	char dir[64], maildir[80];
	int home;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unit_make_dir(f->dir);
	snprintf(f->maildir, sizeof(f->maildir), "%s/Maildir", f->dir);
	assert_int_equal(maildir_make(f->maildir), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	int r = fchdir(f->home);

	close(f->home);
	unit_remove(f->dir);
	free(f);
	return r;
}

/* A file of len bytes that was changed at that second. */
static void
put(const struct fixture *f, const char *name, size_t len, time_t mtime)
{
	struct timespec times[2] = { { .tv_sec = mtime }, { .tv_sec = mtime } };
	char path[400];
	char bytes[100];

	memset(bytes, 'x', sizeof(bytes));
	snprintf(path, sizeof(path), "%s/%s", f->maildir, name);
	unit_write(path, strv_from(bytes, len));
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool
exists(const struct fixture *f, const char *name)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", f->maildir, name);
	return access(path, F_OK) == 0;
}

struct name_case {
	const char *name;
	bool good;
	uint64_t size;
	int64_t time;
};

static const struct name_case names[] = {
	{"1600000000.5.h,S=12",                    true,  12, INT64_C(1600000000000000)},
	{ "1600000000.5.h,S=12:2,RS",              true,  12, INT64_C(1600000000000000)},
	{ "1600000000.5.h,S=12,W=14:2,",           true,  12, INT64_C(1600000000000000)},
	{ "1600000000.M42P7.h,S=0",                true,  0,  INT64_C(1600000000000042)},
	{ "1600000000.M9999999P7.h,S=1",           true,  1,  INT64_C(1600000000000000)},
	{ "1600000000.5.h",                        false, 0,  0                        },
	{ "1600000000.5.h:2,S=5",                  false, 0,  0                        },
	{ "1600000000.5.h,S=",                     false, 0,  0                        },
	{ "1600000000.5.h,S=5x",                   false, 0,  0                        },
	{ "1600000000.5.h,S=-5",                   false, 0,  0                        },
	{ "1600000000.5.h,S=18446744073709551617", false, 0,  0                        },
	{ "99999999999.5.h,S=5",                   false, 0,  0                        },
	{ "18446744073709551617.5.h,S=5",          false, 0,  0                        },
	{ "x1600000000,S=5",                       false, 0,  0                        },
	{ "",				      false, 0,  0                        },
};

static void
test_maildrop_parses_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		uint64_t size = 77;
		int64_t when = 77;

		assert_int_equal(
		    maildrop_parse_name(strv_of(names[i].name), &size, &when),
		    names[i].good);
		assert_int_equal(size, names[i].good ? names[i].size : 77);
		assert_int_equal(when, names[i].good ? names[i].time : 77);
	}
}

static void
test_maildrop_lists_in_order(void **state)
{
	struct fixture *f = *state;
	struct maildrop m;

	put(f, "cur/c:2,S", 3, NOW - 30);
	put(f, "new/b", 2, NOW - 20);
	put(f, "new/1699999975.1.h,S=50", 1, NOW - 5); /* NOW - 25 */
	put(f, "new/a", 1, NOW - 20);
	put(f, "new/.hidden", 9, NOW - 20);
	put(f, "new/now", 9, NOW);
	put(f, "new/1700000000.1.h,S=9", 9, NOW + 5);
	put(f, "new/1800000000.1.h,S=9", 4, NOW - 10); /* a clock set back */
	put(f, "tmp/x", 9, NOW - 20);
	assert_int_equal(maildrop_open(f->maildir, NOW, &m), 0);
	assert_int_equal(m.count, 5);
	assert_string_equal(maildrop_name(&m, 0), "c:2,S");
	assert_string_equal(maildrop_name(&m, 1), "1699999975.1.h,S=50");
	assert_string_equal(maildrop_name(&m, 2), "a");
	assert_string_equal(maildrop_name(&m, 3), "b");
	assert_string_equal(maildrop_name(&m, 4), "1800000000.1.h,S=9");
	assert_int_equal(m.messages[1].size, 50);
	assert_int_equal(m.messages[4].size, 4);
	assert_int_equal(m.bytes, 3 + 50 + 1 + 2 + 4);
	assert_view(maildrop_uid(&m, 0), "c");
	maildrop_free(&m);
}

static void
test_maildrop_lists_only_files(void **state)
{
	struct fixture *f = *state;
	struct maildrop m;
	char path[200];
	uint64_t size;
	int fd;

	snprintf(path, sizeof(path), "%s/new/1.dir,S=5", f->maildir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/new/1.fifo,S=5", f->maildir);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/new/1.link,S=5", f->maildir);
	assert_int_equal(symlink("nowhere", path), 0);
	put(f, "new/1.file,S=5", 5, NOW - 9);
	assert_int_equal(maildrop_open(f->maildir, NOW, &m), 0);
	assert_int_equal(m.count, 1);
	/* It may still become something else: nothing hangs. */
	snprintf(path, sizeof(path), "%s/new/1.file,S=5", f->maildir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(maildrop_open_message(&m, 0, &fd, &size), QE_SYS);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(maildrop_open_message(&m, 0, &fd, &size), QE_SYS);
	maildrop_free(&m);
}

static void
test_maildrop_sweeps_tmp(void **state)
{
	struct fixture *f = *state;
	struct maildrop m;

	put(f, "tmp/old", 1, NOW - MAILDROP_TMP_AGE - 1);
	put(f, "tmp/young", 1, NOW - MAILDROP_TMP_AGE + 1);
	assert_int_equal(maildrop_open(f->maildir, NOW, &m), 0);
	assert_false(exists(f, "tmp/old"));
	assert_true(exists(f, "tmp/young"));
	maildrop_free(&m);
}

static void
test_maildrop_commits(void **state)
{
	struct fixture *f = *state;
	struct maildrop m;

	put(f, "new/1", 10, NOW - 9);
	put(f, "new/2", 20, NOW - 8);
	put(f, "cur/3:2,S", 30, NOW - 7);
	put(f, "cur/4:2,", 40, NOW - 6);
	put(f, "new/5", 50, NOW - 5);
	put(f, "cur/5:2,", 51, NOW - 4); /* must not be overwritten */
	assert_int_equal(maildrop_open(f->maildir, NOW, &m), 0);
	assert_int_equal(m.bytes, 201);
	maildrop_delete(&m, 0);
	maildrop_delete(&m, 2);
	assert_int_equal(m.bytes, 161);
	maildrop_undelete_all(&m);
	assert_int_equal(m.bytes, 201);
	maildrop_delete(&m, 0);
	maildrop_delete(&m, 2);
	assert_true(maildrop_commit(&m));
	assert_false(exists(f, "new/1"));
	assert_false(exists(f, "cur/1:2,"));
	assert_true(exists(f, "cur/2:2,"));
	assert_false(exists(f, "cur/3:2,S"));
	assert_true(exists(f, "cur/4:2,"));
	assert_true(exists(f, "new/5"));
	assert_true(exists(f, "cur/5:2,"));
	maildrop_free(&m);
}

static void
test_maildrop_notes_what_went(void **state)
{
	struct fixture *f = *state;
	struct maildrop m;
	struct buf text;

	put(f, "new/1", 10, NOW - 9);
	put(f, "cur/2.h,S=20:2,S", 20, NOW - 8);
	put(f, "cur/3", 30, NOW - 7);
	assert_int_equal(maildrop_open(f->maildir, NOW, &m), 0);
	unit_write("maildirsize", STRV("1000S\n60 3\n"));
	maildrop_delete(&m, 0);
	maildrop_delete(&m, 1);
	assert_true(maildrop_commit(&m));
	text = unit_read("maildirsize");
	assert_buf(&text, "1000S\n60 3\n-30 -2\n");
	buf_free(&text);
	assert_int_equal(unlink("maildirsize"), 0);
	maildrop_delete(&m, 2);
	assert_false(maildrop_commit(&m)); /* two of them are gone already */
	assert_int_equal(access("maildirsize", F_OK), -1);
	maildrop_free(&m);
}

static void
test_maildrop_reports_what_stays(void **state)
{
	struct fixture *f = *state;
	struct maildrop m;

	put(f, "new/1", 10, NOW - 9);
	assert_int_equal(maildrop_open(f->maildir, NOW, &m), 0);
	maildrop_delete(&m, 0);
	assert_int_equal(unlinkat(m.new_fd, "1", 0), 0);
	assert_false(maildrop_commit(&m));
	maildrop_free(&m);
}

static void
test_maildrop_missing(void **state)
{
	struct fixture *f = *state;
	struct maildrop m;

	assert_int_equal(maildrop_open("/nonexistent", NOW, &m), QE_ABSENT);
	assert_int_equal(maildrop_open(f->dir, NOW, &m), QE_SYS);
}

#define WITH_FIXTURE(test)                                                     \
	cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maildrop_parses_names),
		WITH_FIXTURE(test_maildrop_lists_in_order),
		WITH_FIXTURE(test_maildrop_lists_only_files),
		WITH_FIXTURE(test_maildrop_sweeps_tmp),
		WITH_FIXTURE(test_maildrop_commits),
		WITH_FIXTURE(test_maildrop_notes_what_went),
		WITH_FIXTURE(test_maildrop_reports_what_stays),
		WITH_FIXTURE(test_maildrop_missing),
	};

	return RUN_TESTS(tests);
}
