/* base/hashfile: remembering, forgetting, and files that are none. */
#include "base/error.h"
#include "base/hashfile.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], path[96];

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_hashfile.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/table", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	rmdir(dir);
	return 0;
}

struct seen {
	bool found;
	struct hashfile_record before;
	int64_t first, last; /* to write */
	bool writes;
};

static bool
change(struct hashfile_record *record, bool found, void *context)
{
	struct seen *seen = context;

	seen->found = found;
	seen->before = *record;
	record->first = seen->first;
	record->last = seen->last;
	return seen->writes;
}

/* Writes under a key that is all n; true if it was known. */
static bool
put(struct hashfile *f, unsigned n, int64_t first, int64_t last)
{
	unsigned char key[SIPHASH_SIZE];
	struct seen seen = { .first = first, .last = last, .writes = true };

	memset(key, (int)n, sizeof(key));
	assert_int_equal(hashfile_update(f, key, change, &seen), 0);
	return seen.found;
}

static bool
knows(struct hashfile *f, unsigned n, int64_t first, int64_t last)
{
	unsigned char key[SIPHASH_SIZE];
	struct seen seen = { .writes = false };

	memset(key, (int)n, sizeof(key));
	assert_int_equal(hashfile_update(f, key, change, &seen), 0);
	return seen.found && seen.before.first == first &&
	       seen.before.last == last;
}

static void
test_hashfile_remembers(void **state)
{
	struct hashfile f, g;

	(void)state;
	assert_int_equal(hashfile_open(path, 16, &f), 0);
	assert_false(put(&f, 1, 10, 0));
	assert_true(put(&f, 1, 10, 20));
	assert_false(put(&f, 2, 11, 0));
	hashfile_close(&f);
	assert_int_equal(hashfile_open(path, 16, &g), 0);
	assert_memory_equal(f.secret, g.secret, sizeof(f.secret));
	assert_true(knows(&g, 1, 10, 20));
	assert_true(knows(&g, 2, 11, 0));
	assert_false(knows(&g, 3, 0, 0));
	/* All 0 frees it. */
	assert_true(put(&g, 1, 0, 0));
	assert_false(put(&g, 1, 5, 5));
	hashfile_close(&g);
}

static void
test_hashfile_forgets_the_least(void **state)
{
	struct hashfile f;

	(void)state;
	assert_int_equal(hashfile_open(path, 1, &f), 0);
	for (unsigned i = 1; i <= HASHFILE_RECORDS; i++)
		put(&f, i, 100 + i, i == 3 ? 0 : 50);
	put(&f, 20, 7, 60);
	assert_false(knows(&f, 3, 103, 0)); /* the smallest last */
	assert_true(knows(&f, 20, 7, 60));
	put(&f, 21, 8, 60);
	assert_false(knows(&f, 1, 101, 50)); /* then the smallest first */
	assert_true(knows(&f, 2, 102, 50));
	hashfile_close(&f);
}

static void
test_hashfile_secrets_differ(void **state)
{
	struct hashfile f, g;

	(void)state;
	assert_int_equal(hashfile_open(path, 4, &f), 0);
	hashfile_close(&f);
	unlink(path);
	assert_int_equal(hashfile_open(path, 4, &g), 0);
	hashfile_close(&g);
	assert_true(memcmp(f.secret, g.secret, sizeof(f.secret)) != 0);
}

static void
write_file(const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, n), n);
	close(fd);
}

static void
test_hashfile_is_none(void **state)
{
	static const char zero[100] = "";
	static const char other[100] = "something else";
	struct hashfile f;

	(void)state;
	assert_int_equal(hashfile_open(path, 0, &f), QE_LIMIT);
	write_file(other, sizeof(other));
	assert_int_equal(hashfile_open(path, 4, &f), QE_CORRUPT);
	write_file("short", 5);
	assert_int_equal(hashfile_open(path, 4, &f), QE_CORRUPT);
	/* A crash before the header was written. */
	write_file(zero, sizeof(zero));
	assert_int_equal(hashfile_open(path, 4, &f), 0);
	hashfile_close(&f);
	assert_int_equal(hashfile_open(path, 5, &f), QE_CORRUPT);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(hashfile_open(path, 4, &f), QE_CORRUPT);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(hashfile_open(path, 4, &f), QE_CORRUPT);
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(hashfile_open(path, 4, &f), QE_SYS);
}

static bool
count_up(struct hashfile_record *record, bool found, void *context)
{
	(void)found;
	(void)context;
	record->first++;
	return true;
}

/* Four processes count in one record: none of the steps is lost. */
static void
test_hashfile_locks(void **state)
{
	enum { PROCESSES = 4, STEPS = 200 };
	unsigned char key[SIPHASH_SIZE] = { 9 };
	struct seen seen = { .writes = false };
	struct hashfile f;

	(void)state;
	for (int i = 0; i < PROCESSES; i++) {
		if (fork() != 0)
			continue;
		if (hashfile_open(path, 4, &f) != 0)
			_exit(1);
		for (int n = 0; n < STEPS; n++)
			if (hashfile_update(&f, key, count_up, NULL) != 0)
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status = 1;

		wait(&status);
		assert_int_equal(status, 0);
	}
	assert_int_equal(hashfile_open(path, 4, &f), 0);
	assert_int_equal(hashfile_update(&f, key, change, &seen), 0);
	assert_int_equal(seen.before.first, PROCESSES * STEPS);
	hashfile_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hashfile_remembers),
		TEST(test_hashfile_forgets_the_least),
		TEST(test_hashfile_secrets_differ),
		TEST(test_hashfile_is_none),
		TEST(test_hashfile_locks),
	};

	return RUN_TESTS(tests);
}
