/* File tests and line types of .qmail files. */
#include "unit.h"

#include "base/error.h"
#include "local/dot_qmail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
expect_lines(struct strv text, const enum dot_qmail_kind *kinds,
    const char *const *texts, size_t count)
{
	struct dot_qmail_line line;
	size_t i = 0;

	for (; dot_qmail_line_next(&text, &line); i++) {
		assert_true(i < count);
		assert_int_equal(line.kind, kinds[i]);
		assert_true(strv_eq(line.text, strv_of(texts[i])));
	}
	assert_int_equal(i, count);
}

static void
test_lines_of_all_types(void **state)
{
	static const enum dot_qmail_kind kinds[] = { DQ_COMMENT, DQ_MBOX,
		DQ_MAILDIR, DQ_MBOX, DQ_MAILDIR, DQ_PROGRAM, DQ_FORWARD,
		DQ_FORWARD, DQ_FORWARDS_ONLY, DQ_IGNORED, DQ_BLANK, DQ_BLANK,
		DQ_FORWARD };
	static const char *const texts[] = { "# x", "./Mailbox", "./Maildir/",
		"/var/mail/x", "/", " echo  hi", "a@b", "c@d", "+list",
		"+lists", "", "", "x" };

	(void)state;
	expect_lines(STRV("# x\n./Mailbox \t\n./Maildir/\n/var/mail/x\n/\n"
			  "| echo  hi\t\n&a@b\nc@d  \n+list \n+lists\n\n \t\n"
			  "x"),
	    kinds, texts, sizeof(kinds) / sizeof(*kinds));
}

static void
test_lines_empty_and_bare_marks(void **state)
{
	static const enum dot_qmail_kind kinds[] = { DQ_PROGRAM, DQ_FORWARD,
		DQ_IGNORED, DQ_MBOX };
	static const char *const texts[] = { "", "", "+", "." };

	(void)state;
	expect_lines(STRV_EMPTY, NULL, NULL, 0);
	expect_lines(STRV("|\n&\n+\n."), kinds, texts, 4);
}

/* A private directory, which becomes the present one. */
static int
enter_directory(void **state)
{
	char *path = strdup("/tmp/test_dot_qmail.XXXXXX");

	if (path == NULL || mkdtemp(path) == NULL || chdir(path) < 0)
		return -1;
	*state = path;
	return 0;
}

static int
leave_directory(void **state)
{
	char *path = *state;

	unlink(".qmail-x");
	unlink(".qmail-default");
	if (chdir("/") < 0 || rmdir(path) < 0)
		return -1;
	free(path);
	return 0;
}

static void
put(const char *name, const char *text, size_t len, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static void
test_find_reads_the_best(void **state)
{
	struct dot_qmail d;

	(void)state;
	put(".qmail-default", "&d\n", 3, 0644);
	assert_int_equal(dot_qmail_find("-", "x", &d), 0);
	assert_true(d.found);
	assert_string_equal(d.remainder, "x");
	dot_qmail_clear(&d);
	put(".qmail-x", "./x", 3, 0700);
	assert_int_equal(dot_qmail_find("-", "X", &d), 0);
	assert_true(d.found && d.forward_only);
	assert_null(d.remainder);
	assert_true(strv_eq(buf_view(&d.text), STRV("./x")));
	dot_qmail_clear(&d);
	assert_int_equal(dot_qmail_find("=", "x", &d), 0);
	assert_false(d.found);
	assert_null(d.remainder);
	dot_qmail_clear(&d);
}

static void
test_find_refuses(void **state)
{
	struct dot_qmail d;

	(void)state;
	put(".qmail-x", "a\n", 2, 0602);
	assert_int_equal(dot_qmail_find("-", "x", &d), QE_DENIED);
	dot_qmail_clear(&d);
	put(".qmail-x", "a\0b\n", 4, 0600);
	assert_int_equal(dot_qmail_find("-", "x", &d), QE_SYNTAX);
	dot_qmail_clear(&d);
}

static void
test_find_refuses_too_big(void **state)
{
	struct dot_qmail d;

	(void)state;
	put(".qmail-x", "", 0, 0600);
	assert_int_equal(truncate(".qmail-x", DOT_QMAIL_MAX + 1), 0);
	assert_int_equal(dot_qmail_find("-", "x", &d), QE_LIMIT);
	assert_string_equal(buf_cstr(&d.name), ".qmail-x");
	dot_qmail_clear(&d);
}

static void
test_find_passes_over_what_is_no_file(void **state)
{
	struct dot_qmail d;
	char ext[400];

	(void)state;
	assert_int_equal(mkdir(".qmail-x", 0700), 0);
	put(".qmail-default", "&d\n", 3, 0644);
	assert_int_equal(dot_qmail_find("-", "x", &d), 0);
	assert_true(d.found);
	assert_string_equal(buf_cstr(&d.name), ".qmail-default");
	dot_qmail_clear(&d);
	assert_int_equal(rmdir(".qmail-x"), 0);
	assert_int_equal(mkfifo(".qmail-x", 0600), 0);
	assert_int_equal(dot_qmail_find("-", "x", &d), 0);
	assert_string_equal(buf_cstr(&d.name), ".qmail-default");
	dot_qmail_clear(&d);
	memset(ext, 'y', sizeof(ext) - 1);
	ext[sizeof(ext) - 1] = '\0';
	assert_int_equal(dot_qmail_find("-", ext, &d), 0);
	assert_string_equal(buf_cstr(&d.name), ".qmail-default");
	dot_qmail_clear(&d);
}

static void
expect_line(struct strv text, enum dot_qmail_kind kind, struct strv rest)
{
	struct dot_qmail_line line;

	assert_true(dot_qmail_line_next(&text, &line));
	assert_int_equal(line.kind, kind);
	assert_true(strv_eq(line.text, rest));
}

static void
test_lines_of_branches_and_lmtp(void **state)
{
	(void)state;
	expect_line(STRV("?test x \t\n"), DQ_CONDITION, STRV("test x"));
	expect_line(STRV("%other"), DQ_CONTINUE, STRV("other"));
	expect_line(STRV("%"), DQ_CONTINUE, STRV(""));
	expect_line(STRV("!lmtp:/run/x a"), DQ_LMTP, STRV("/run/x a"));
	expect_line(STRV("!lmtp"), DQ_UNKNOWN, STRV("!lmtp"));
	expect_line(STRV("!"), DQ_UNKNOWN, STRV("!"));
}

static void
test_named(void **state)
{
	struct dot_qmail d;

	(void)state;
	put(".qmail-n", "&d\n", 3, 0744);
	assert_int_equal(dot_qmail_open_named(STRV("n"), &d), 0);
	assert_true(d.found && d.forward_only);
	assert_true(strv_eq(buf_view(&d.text), STRV("&d\n")));
	dot_qmail_clear(&d);
	assert_int_equal(dot_qmail_open_named(STRV("no"), &d), QE_ABSENT);
	assert_string_equal(buf_cstr(&d.name), ".qmail-no");
	dot_qmail_clear(&d);
	assert_int_equal(dot_qmail_open_named(STRV(""), &d), QE_ABSENT);
	dot_qmail_clear(&d);
	assert_int_equal(mkdir(".qmail-", 0700), 0);
	assert_int_equal(
	    dot_qmail_open_named(STRV("/../.qmail-n"), &d), QE_ABSENT);
	dot_qmail_clear(&d);
	assert_int_equal(mkfifo(".qmail-f", 0600), 0);
	assert_int_equal(dot_qmail_open_named(STRV("f"), &d), QE_ABSENT);
	dot_qmail_clear(&d);
	put(".qmail-w", "&d\n", 3, 0602);
	assert_int_equal(dot_qmail_open_named(STRV("w"), &d), QE_DENIED);
	dot_qmail_clear(&d);
	assert_int_equal(remove(".qmail-"), 0);
	unlink(".qmail-n");
	unlink(".qmail-f");
	unlink(".qmail-w");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_of_all_types),
		cmocka_unit_test(test_lines_empty_and_bare_marks),
		cmocka_unit_test(test_lines_of_branches_and_lmtp),
		cmocka_unit_test_setup_teardown(
		    test_named, enter_directory, leave_directory),
		cmocka_unit_test_setup_teardown(
		    test_find_reads_the_best, enter_directory, leave_directory),
		cmocka_unit_test_setup_teardown(
		    test_find_refuses, enter_directory, leave_directory),
		cmocka_unit_test_setup_teardown(test_find_refuses_too_big,
		    enter_directory, leave_directory),
		cmocka_unit_test_setup_teardown(
		    test_find_passes_over_what_is_no_file, enter_directory,
		    leave_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
