/* auth/qpasswd_edit: what is added and removed, and what stays as it is. */
#include "auth/qpasswd_edit.h"
#include "unit.h"

#define OLD "# c\n[/a:5:6]\njoe:joe\n\n[/b:7:8]\nbob:/x # y\n"

static void
test_qpasswd_edit_adds(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(qpasswd_add(STRV(OLD), STRV("/a"), STRV("jane"),
			     STRV("d/jane"), &out),
	    0);
	assert_buf(&out, "# c\n[/a:5:6]\njoe:joe\n\njane:d/jane\n[/b:7:8]\n"
			 "bob:/x # y\n");
	buf_reset(&out);
	assert_int_equal(qpasswd_add(STRV("[/a:5:6]\njoe:joe"), STRV_EMPTY,
			     STRV("jane"), STRV("jane"), &out),
	    0);
	assert_buf(&out, "[/a:5:6]\njoe:joe\njane:jane\n");
	buf_reset(&out);
	assert_int_equal(qpasswd_add(STRV(OLD), STRV("/c"), STRV("jane"),
			     STRV("jane"), &out),
	    QE_ABSENT);
	assert_int_equal(qpasswd_add(STRV_EMPTY, STRV_EMPTY, STRV("jane"),
			     STRV("jane"), &out),
	    QE_ABSENT);
	assert_int_equal(
	    qpasswd_add(STRV(OLD), STRV("/a"), STRV("bob"), STRV("bob"), &out),
	    QE_LIMIT);
	assert_int_equal(
	    qpasswd_add(STRV(OLD), STRV("/a"), STRV("x:y"), STRV("h"), &out),
	    QE_SYNTAX);
	assert_int_equal(qpasswd_add(STRV(OLD), STRV("/a"), STRV("x"),
			     STRV("h\n[/e:0:0]"), &out),
	    QE_SYNTAX);
	assert_int_equal(
	    qpasswd_add(STRV(OLD), STRV("/a"), STRV("x"), STRV(""), &out),
	    QE_SYNTAX);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

static void
test_qpasswd_edit_removes(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(
	    qpasswd_remove(STRV(OLD "joe:2\n"), STRV("joe"), &out), 0);
	assert_buf(&out, "# c\n[/a:5:6]\n\n[/b:7:8]\nbob:/x # y\n");
	buf_reset(&out);
	assert_int_equal(
	    qpasswd_remove(STRV(OLD), STRV("eve"), &out), QE_ABSENT);
	assert_int_equal(
	    qpasswd_remove(STRV(OLD), STRV_EMPTY, &out), QE_ABSENT);
	assert_int_equal(
	    qpasswd_remove(STRV(OLD "broken\n"), STRV("joe"), &out), QE_SYNTAX);
	buf_free(&out);
}

static void
test_qpasswd_edit_sections(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(
	    qpasswd_add_section(STRV("[/a:5:6]"), STRV("/b"), 7, 8, &out), 0);
	assert_buf(&out, "[/a:5:6]\n[/b:7:8]\n");
	assert_int_equal(
	    qpasswd_add_section(STRV(OLD), STRV("/b"), 7, 8, &out), QE_LIMIT);
	assert_int_equal(
	    qpasswd_add_section(STRV(OLD), STRV("b"), 7, 8, &out), QE_SYNTAX);
	assert_int_equal(
	    qpasswd_add_section(STRV(OLD), STRV("/c"), 0, 8, &out), QE_SYNTAX);
	assert_int_equal(
	    qpasswd_add_section(STRV(OLD), STRV("/c]\n/d"), 7, 8, &out),
	    QE_SYNTAX);
	buf_free(&out);
}

static void
test_qpasswd_edit_replaces(void **state)
{
	char dir[64], path[128], new[128];
	struct buf text;
	struct stat st;
	int lock = -1;

	(void)state;
	unit_make_dir(dir);
	snprintf(path, sizeof(path), "%s/qpasswd", dir);
	snprintf(new, sizeof(new), "%s/qpasswd.new", dir);
	assert_int_equal(qpasswd_lock(path, &lock), 0);
	/* A crash has left half a file. */
	unit_write(new, STRV("half"));
	assert_int_equal(qpasswd_replace(path, STRV("one\n")), 0);
	assert_int_equal(qpasswd_replace(path, STRV("two\n")), 0);
	text = unit_read(path);
	assert_buf(&text, "two\n");
	buf_free(&text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access(new, F_OK), -1);
	close(lock);
	unit_remove(dir);
	assert_int_equal(qpasswd_replace(path, STRV("x")), QE_SYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qpasswd_edit_adds),
		cmocka_unit_test(test_qpasswd_edit_removes),
		cmocka_unit_test(test_qpasswd_edit_sections),
		cmocka_unit_test(test_qpasswd_edit_replaces),
	};

	return RUN_TESTS(tests);
}
