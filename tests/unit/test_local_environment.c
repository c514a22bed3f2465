/* Lines and variables of a local delivery, and loop detection. */
#include "unit.h"

#include "base/env.h"
#include "base/error.h"
#include "local/environment.h"
#include "local/instruction.h"
#include "local/loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct local_mail
mail_for(const char *local, const char *domain, const char *sender)
{
	return (struct local_mail){ .user = "joe",
		.home = "/home/joe",
		.local = local,
		.dash = "-",
		.ext = "a-b-c-d-e",
		.domain = domain,
		.sender = sender,
		.remainder = "d-e" };
}

static void
expect_lines(const struct local_mail *mail, const char *return_path,
    const char *delivered, const char *from)
{
	struct local_lines lines;

	assert_int_equal(local_lines_make(&lines, mail, 1795310305), 0);
	assert_string_equal(buf_cstr(&lines.return_path), return_path);
	assert_string_equal(buf_cstr(&lines.delivered), delivered);
	assert_string_equal(buf_cstr(&lines.from), from);
	local_lines_clear(&lines);
}

static void
test_lines_plain(void **state)
{
	const struct local_mail mail =
	    mail_for("joe-x", "h.example", "s@r.example");

	(void)state;
	expect_lines(&mail, "Return-Path: <s@r.example>\n",
	    "Delivered-To: joe-x@h.example\n",
	    "From s@r.example Sun Nov 22 01:18:25 2026\n");
}

static void
test_lines_of_bounces_and_odd_addresses(void **state)
{
	const struct local_mail bounce = mail_for("joe", "h", "");
	const struct local_mail odd = mail_for("j\noe", "h\n", "a b\t\nc@r");

	(void)state;
	expect_lines(&bounce, "Return-Path: <>\n", "Delivered-To: joe@h\n",
	    "From MAILER-DAEMON Sun Nov 22 01:18:25 2026\n");
	expect_lines(&odd, "Return-Path: <\"a b\t\\_c\"@r>\n",
	    "Delivered-To: j_oe@h_\n",
	    "From a-b--c@r Sun Nov 22 01:18:25 2026\n");
}

static void
test_ext_and_host_parts(void **state)
{
	(void)state;
	assert_true(strv_eq(local_ext_after(STRV("a-b-c"), 1), STRV("b-c")));
	assert_true(strv_eq(local_ext_after(STRV("a-b-c"), 2), STRV("c")));
	assert_true(strv_eq(local_ext_after(STRV("a-b-c"), 3), STRV_EMPTY));
	assert_true(strv_eq(local_ext_after(STRV_EMPTY, 1), STRV_EMPTY));
	assert_true(strv_eq(local_host_before(STRV("a.b.c"), 1), STRV("a.b")));
	assert_true(strv_eq(local_host_before(STRV("a.b.c"), 2), STRV("a")));
	assert_true(strv_eq(local_host_before(STRV("a.b.c"), 3), STRV("a")));
	assert_true(strv_eq(local_host_before(STRV_EMPTY, 3), STRV_EMPTY));
}

static void
expect_variable(const char *name, const char *value)
{
	const char *found = env_get(name);

	assert_non_null(found);
	assert_string_equal(found, value);
}

static void
test_environment(void **state)
{
	struct local_mail mail =
	    mail_for("joe-a-b-c-d-e", "x.y.example", "s@r");
	struct local_lines lines;

	(void)state;
	assert_int_equal(local_lines_make(&lines, &mail, 1795310305), 0);
	assert_int_equal(local_environment_set(&mail, &lines, "o@r"), 0);
	expect_variable("SENDER", "s@r");
	expect_variable("NEWSENDER", "o@r");
	expect_variable("RECIPIENT", "joe-a-b-c-d-e@x.y.example");
	expect_variable("USER", "joe");
	expect_variable("HOME", "/home/joe");
	expect_variable("HOST", "x.y.example");
	expect_variable("HOST2", "x.y");
	expect_variable("HOST3", "x");
	expect_variable("HOST4", "x");
	expect_variable("LOCAL", "joe-a-b-c-d-e");
	expect_variable("EXT", "a-b-c-d-e");
	expect_variable("EXT2", "b-c-d-e");
	expect_variable("EXT3", "c-d-e");
	expect_variable("EXT4", "d-e");
	expect_variable("DEFAULT", "d-e");
	expect_variable("DTLINE", "Delivered-To: joe-a-b-c-d-e@x.y.example\n");
	expect_variable("RPLINE", "Return-Path: <s@r>\n");
	expect_variable("UFLINE", "From s@r Sun Nov 22 01:18:25 2026\n");
	mail.remainder = NULL;
	assert_int_equal(local_environment_set(&mail, &lines, "o@r"), 0);
	assert_null(env_get("DEFAULT"));
	local_lines_clear(&lines);
}

static void
test_program_verdicts(void **state)
{
	static const int permanent[] = { 100, 64, 65, 70, 76, 77, 78, 112 };

	(void)state;
	assert_int_equal(instruction_program_verdict(0), 0);
	assert_int_equal(instruction_program_verdict(99), 99);
	for (size_t i = 0; i < sizeof(permanent) / sizeof(*permanent); i++)
		assert_int_equal(
		    instruction_program_verdict(permanent[i]), 100);
	assert_int_equal(instruction_program_verdict(111), 111);
	assert_int_equal(instruction_program_verdict(1), 111);
	assert_int_equal(instruction_program_verdict(66), 111);
	assert_int_equal(instruction_program_verdict(255), 111);
}

/* What loop_find says of a message. */
static bool
loops(const char *text, size_t len)
{
	FILE *file = tmpfile();
	bool found = false;

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fflush(file), 0);
	assert_int_equal(
	    loop_find(fileno(file), STRV("Delivered-To: a@b\n"), &found), 0);
	fclose(file);
	return found;
}

static bool
loops_text(const char *text)
{
	return loops(text, strlen(text));
}

static void
test_loop(void **state)
{
	static char big[70000];

	(void)state;
	assert_true(loops_text("X: y\nDelivered-To: a@b\n\n"));
	assert_true(loops_text("Delivered-To: a@b\n"));
	assert_false(loops_text("X: y\n\nDelivered-To: a@b\n"));
	assert_false(loops_text("\nDelivered-To: a@b\n"));
	assert_false(loops_text("Delivered-To: A@b\n\n"));
	assert_false(loops_text("Delivered-To: a@b \n\n"));
	assert_false(loops_text(" Delivered-To: a@b\n\n"));
	assert_false(loops_text("Delivered-To: a@b.c\n\n"));
	assert_false(loops_text("Delivered-To: a@b\r\n\n"));
	assert_false(loops_text(""));
	memset(big, 'x', sizeof(big));
	for (size_t i = 16370; i < 16390; i++) {
		memset(big, 'x', sizeof(big));
		big[i] = '\n';
		memcpy(big + i + 1, "Delivered-To: a@b\n", 18);
		assert_true(loops(big, sizeof(big)));
	}
}

static void
test_loop_needs_a_file(void **state)
{
	bool found;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(loop_find(ends[0], STRV("x\n"), &found), QE_SYS);
	assert_int_equal(errno, ESPIPE);
	close(ends[0]);
	close(ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_plain),
		cmocka_unit_test(test_lines_of_bounces_and_odd_addresses),
		cmocka_unit_test(test_ext_and_host_parts),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_program_verdicts),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_loop_needs_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
