/* smtp/sasl_check: what a checker is given, and what its end means. */
#include "base/clock.h"
#include "base/env.h"
#include "base/spawn.h"
#include "smtp/sasl_check.h"
#include "unit.h"

static enum sasl_result
ask(struct sasl *x, const char *script, struct sasl_checker *how,
    struct buf *challenge)
{
	const char *const words[] = { "sh", "-c", script, NULL };
	char **argv = spawn_argv(words);
	enum sasl_result r;

	assert_non_null(argv);
	*how = (struct sasl_checker){
		.argv = argv,
		.fds = {SPAWN_FD_NULL, SPAWN_FD_NULL, SPAWN_FD_NULL},
		.deadline_ms = clock_deadline(30)
	};
	r = sasl_check(x, how, challenge);
	free(argv);
	return r;
}

/* The result of a script for joe's clear password. */
static enum sasl_result
ask_clear(const char *script, const char **trouble)
{
	struct buf challenge = BUF_INIT;
	struct sasl_checker how;
	enum sasl_result r;
	struct sasl x;

	sasl_init(&x, "smtp", STRV("host"));
	assert_int_equal(
	    sasl_set_clear(&x, STRV("joe"), STRV("pass")), SASL_CHECK);
	r = ask(&x, script, &how, &challenge);
	assert_int_equal(challenge.len, 0);
	*trouble = how.trouble;
	sasl_free(&x);
	buf_free(&challenge);
	return r;
}

static void
test_sasl_check_exit_codes(void **state)
{
	const char *why;

	(void)state;
	assert_int_equal(ask_clear("exit 0", &why), SASL_DONE);
	assert_null(why);
	assert_int_equal(ask_clear("exit 1", &why), SASL_REFUSED);
	assert_null(why);
	assert_int_equal(ask_clear("exit 2", &why), SASL_FAILED);
	assert_non_null(why);
	assert_int_equal(ask_clear("exit 111", &why), SASL_FAILED);
	assert_int_equal(ask_clear("exit 77", &why), SASL_FAILED);
	assert_int_equal(ask_clear("kill -9 $$", &why), SASL_FAILED);
	assert_string_equal(why, "crashed");
}

static void
test_sasl_check_interface(void **state)
{
	const char *why;

	(void)state;
	assert_int_equal(
	    ask_clear("test \"$SASL\" = plain && test ! -e /proc/self/fd/4 && "
		      "test \"$(od -An -c <&3 | tr -d ' \\n')\" = "
		      "'joe\\0pass\\0\\0'",
		&why),
	    SASL_DONE);
}

static void
test_sasl_check_hangs(void **state)
{
	static const char *const words[] = { "sh", "-c", "sleep 600 & wait",
		NULL };
	char **argv = spawn_argv(words);
	struct sasl_checker how = {
		.argv = argv,
		.fds = {SPAWN_FD_NULL, SPAWN_FD_NULL, SPAWN_FD_NULL},
		.deadline_ms = clock_mono_ms() + 50
	};
	struct buf challenge = BUF_INIT;
	struct sasl x;

	(void)state;
	assert_non_null(argv);
	sasl_init(&x, "smtp", STRV("host"));
	assert_int_equal(
	    sasl_set_clear(&x, STRV("joe"), STRV("pass")), SASL_CHECK);
	assert_int_equal(sasl_check(&x, &how, &challenge), SASL_FAILED);
	assert_string_equal(how.trouble, "no end in time");
	argv[0] = (char[]){ "/nonexistent/checker" };
	how.deadline_ms = clock_deadline(30);
	assert_int_equal(sasl_check(&x, &how, &challenge), SASL_FAILED);
	assert_non_null(how.trouble);
	sasl_free(&x);
	buf_free(&challenge);
	free(argv);
}

#define RSPAUTH "0123456789abcdef0123456789abcdef"

static void
set_digest(struct sasl *x)
{
	sasl_init(x, "smtp", STRV("host"));
	x->mechanism = sasl_find(STRV("DIGEST-MD5"), SASL_ALL);
	x->program = x->mechanism->program;
	buf_add_str(&x->user, "joe");
	buf_add_str(&x->a, RSPAUTH);
	buf_add_str(&x->facts, "nc=00000001\nqop=auth\n");
}

static void
test_sasl_check_private_file(void **state)
{
	static const char good[] =
	    "f=$(tr '\\000' '\\n' <&3 | sed -n 3p) && test -f \"$f\" && "
	    "test \"$(stat -Lc %a \"$f\")\" = 600 && "
	    "test \"$(head -n 1 \"$f\")\" = nc=00000001 && "
	    "printf '" RSPAUTH "' > \"$f\"";
	struct buf challenge = BUF_INIT;
	struct sasl_checker how;
	struct sasl x;

	(void)state;
	set_digest(&x);
	assert_int_equal(ask(&x, good, &how, &challenge), SASL_CONTINUE);
	assert_buf(&challenge, "cnNwYXV0aD0wMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4"
			       "OWFiY2RlZg==");
	assert_int_equal(sasl_step(&x, STRV_EMPTY, &challenge), SASL_DONE);
	/* Accepted by a checker that knows nothing of the file. */
	assert_int_equal(ask(&x, "exit 0", &how, &challenge), SASL_FAILED);
	assert_non_null(how.trouble);
	assert_int_equal(ask(&x, "exit 1", &how, &challenge), SASL_REFUSED);
	sasl_free(&x);
	buf_free(&challenge);
}

/* As qmail-popup does it: the next program says the last challenge. */
static void
test_sasl_check_passes_on(void **state)
{
	static const char *const words[] = { "sh", "-c",
		"printf '" RSPAUTH "' > /proc/self/fd/4; "
		"test \"$SASLFACTS\" = 4",
		NULL };
	char **argv = spawn_argv(words);
	struct sasl_checker how = {
		.argv = argv,
		.fds = {SPAWN_FD_NULL, SPAWN_FD_NULL, SPAWN_FD_NULL},
		.passes_on = true,
		.deadline_ms = clock_deadline(30)
	};
	struct buf challenge = BUF_INIT;
	struct sasl_check c;
	struct sasl x;
	int code = -1;

	(void)state;
	assert_non_null(argv);
	set_digest(&x);
	assert_int_equal(sasl_check_start(&x, &how, &c), 0);
	assert_int_equal(sasl_check_wait(&how, &c, &code), SASL_DONE);
	assert_int_equal(code, 0);
	/* Now we are the next program. */
	assert_int_equal(dup2(c.facts_fd, SASL_FACTS_FD), SASL_FACTS_FD);
	assert_int_equal(env_set("SASL", "digest-md5"), 0);
	assert_int_equal(env_set("SASLFACTS", "4"), 0);
	assert_int_equal(sasl_check_inherited(&challenge), SASL_CONTINUE);
	assert_int_equal(challenge.len, 56);
	assert_null(env_get("SASL"));
	assert_null(env_get("SASLFACTS"));
	assert_int_equal(sasl_check_inherited(&challenge), SASL_DONE);
	assert_int_equal(env_set("SASL", "plain"), 0);
	assert_int_equal(sasl_check_inherited(&challenge), SASL_DONE);
	assert_int_equal(challenge.len, 0);
	sasl_check_end(&c);
	sasl_free(&x);
	buf_free(&challenge);
	free(argv);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sasl_check_exit_codes),
		cmocka_unit_test(test_sasl_check_interface),
		cmocka_unit_test(test_sasl_check_hangs),
		cmocka_unit_test(test_sasl_check_private_file),
		cmocka_unit_test(test_sasl_check_passes_on),
	};

	return RUN_TESTS(tests);
}
