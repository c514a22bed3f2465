/*
 * What the unit tests share: cmocka with what it needs, comparisons of views
 * and buffers, private directories, repeatable random bytes.
 */
#ifndef UNIT_H
#define UNIT_H

#include "base/buf.h"
#include "base/error.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define RUN_TESTS(tests) cmocka_run_group_tests(tests, NULL, NULL)

#define assert_view(v, literal) unit_assert_view((v), STRV(literal), __LINE__)
#define assert_buf(b, literal)                                                 \
	unit_assert_view(buf_view(b), STRV(literal), __LINE__)
#define assert_same(a, b) unit_assert_view((a), (b), __LINE__)

static inline void
unit_assert_view(struct strv got, struct strv want, int line)
{
	if (strv_eq(got, want))
		return;
	print_error("line %d: got  \"" STRV_FMT "\"\n", line, STRV_ARG(got));
	print_error("line %d: want \"" STRV_FMT "\"\n", line, STRV_ARG(want));
	fail();
}

/* A private directory that unit_remove takes away with all it holds. */
static inline void
unit_make_dir(char path[64])
{
	snprintf(path, 64, "/tmp/unit.XXXXXX");
	assert_non_null(mkdtemp(path));
}

static inline int
unit_remove_one(
    const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static inline void
unit_remove(const char *path)
{
	nftw(path, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
unit_write(const char *path, struct strv bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.ptr, bytes.len), (ssize_t)bytes.len);
	close(fd);
}

/* The whole file; the caller frees the buffer. */
static inline struct buf
unit_read(const char *path)
{
	struct buf b = BUF_LIMIT(64 << 20);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = 1;

	assert_true(fd >= 0);
	while (got > 0) {
		char *to = buf_reserve(&b, 65536);

		assert_non_null(to);
		got = read(fd, to, 65536);
		assert_true(got >= 0);
		b.len += (size_t)got;
	}
	close(fd);
	return b;
}

/* xorshift: the same bytes in every run. */
static inline uint32_t
unit_random(uint32_t *state)
{
	uint32_t x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	*state = x;
	return x;
}

#endif
