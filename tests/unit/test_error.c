/* base/error: texts that log readers know by heart. */
#include "base/error.h"
#include "unit.h"

#include <errno.h>

static void
test_error_texts(void **state)
{
	(void)state;
	assert_string_equal(error_text(ENOENT), "file does not exist");
	assert_string_equal(error_text(EPERM), "permission denied");
	assert_string_equal(error_text(EACCES), "access denied");
	assert_string_equal(error_text(EEXIST), "file already exists");
	assert_string_equal(error_text(ENOTDIR), "not a directory");
	assert_string_equal(error_text(EISDIR), "is a directory");
	assert_string_equal(error_text(ENOSPC), "out of disk space");
	assert_string_equal(error_text(EDQUOT), "disk quota exceeded");
	assert_string_equal(error_text(EIO), "input/output error");
	assert_string_equal(error_text(EROFS), "read-only file system");
	assert_string_equal(error_text(EAGAIN), "temporary failure");
	assert_string_equal(error_text(EINTR), "interrupted system call");
	assert_string_equal(error_text(ETXTBSY), "text busy");
	assert_string_equal(error_text(ETIMEDOUT), "timed out");
	assert_string_equal(error_text(ECONNREFUSED), "connection refused");
	assert_string_equal(error_text(EPIPE), "broken pipe");
	assert_string_equal(error_text(ESTALE), "stale NFS file handle");
	assert_string_equal(error_text(EFBIG), "file too big");
	assert_string_equal(error_text(ENOEXEC), "exec format error");
	assert_string_equal(error_text(0), "unknown error");
	assert_string_equal(error_text(-5), "unknown error");
	assert_string_equal(error_text(99999), "unknown error");
}

static void
test_error_is_temporary(void **state)
{
	(void)state;
	assert_true(error_is_temporary(EINTR));
	assert_true(error_is_temporary(ENOMEM));
	assert_true(error_is_temporary(EWOULDBLOCK));
	assert_true(error_is_temporary(EDQUOT));
	assert_true(error_is_temporary(EFBIG));
	assert_true(error_is_temporary(ESTALE));
	assert_false(error_is_temporary(ENOENT));
	assert_false(error_is_temporary(EACCES));
	assert_false(error_is_temporary(ENOEXEC));
	assert_false(error_is_temporary(0));
}

static void
test_error_result_text(void **state)
{
	(void)state;
	errno = ENOSPC;
	assert_string_equal(error_result_text(QE_SYS), "out of disk space");
	for (int r = QE_CORRUPT; r <= QE_OK; r++)
		assert_true(strlen(error_result_text(r)) > 0);
	assert_string_equal(error_result_text(-999), "unknown error");
	assert_string_equal(error_result_text(QE_NOMEM), "out of memory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_texts),
		cmocka_unit_test(test_error_is_temporary),
		cmocka_unit_test(test_error_result_text),
	};

	return RUN_TESTS(tests);
}
