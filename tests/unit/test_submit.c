/*
 * The client of qmail-queue against programs in its place: shell scripts that
 * read or do not, talk or do not, end or do not.
 */
#include "base/clock.h"
#include "base/env.h"
#include "base/io.h"
#include "scratch.h"
#include "spool/submit.h"
#include "spool/submit_child.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { LONG_MS = 60000, SHORT_MS = 300 };

static int
enter(void **state)
{
	const struct scratch *s;

	if (scratch_enter(state) != 0)
		return -1;
	s = *state;
	signal(SIGPIPE, SIG_IGN);
	return env_set("QMAILHOME", s->path) != 0 ||
	       env_set("QMAILQUEUE", "program") != 0;
}

static void
script(const char *text)
{
	char all[2000];
	int n = snprintf(all, sizeof(all), "#!/bin/sh\n%s\n", text);

	scratch_write("program", all, (size_t)n, 0755);
}

/* Sends a small message through the script; how long it took. */
static struct submit_result
run(const char *text, int64_t deadline_ms)
{
	struct submit_result r;
	struct submit s;

	script(text);
	assert_int_equal(submit_open(&s), 0);
	submit_message(&s, STRV("Subject: x\n\nbody\n"));
	submit_sender(&s, STRV("a@b"));
	submit_recipient(&s, STRV("c@d"));
	submit_recipient(&s, STRV("e"));
	submit_close(&s, clock_mono_ms() + deadline_ms, &r);
	assert_int_equal(s.message_fd, -1);
	assert_int_equal(s.envelope_fd, -1);
	assert_int_equal(s.custom_fd, -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
	return r;
}

static void
expect(const char *text, bool permanent, const char *words)
{
	struct submit_result r = run(text, LONG_MS);

	assert_false(r.ok);
	assert_string_equal(r.text, words);
	assert_int_equal(r.permanent, permanent);
}

static void
expect_file(const char *path, const char *bytes, size_t n)
{
	char got[200];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, sizeof(got)), (ssize_t)n);
	assert_memory_equal(got, bytes, n);
	close(fd);
}

static void
test_success(void **state)
{
	static const char envelope[] = "Fa@b\0Tc@d\0Te\0";
	struct submit_result r;

	(void)state;
	r = run("cat > m; cat <&1 > e; echo \"$0 $#\" > a; pwd > d", LONG_MS);
	assert_true(r.ok);
	assert_string_equal(r.text, "");
	expect_file("m", "Subject: x\n\nbody\n", 17);
	expect_file("e", envelope, sizeof(envelope));
	expect_file("a", "./program 0\n", 12);
}

static void
test_exit_codes(void **state)
{
	(void)state;
	expect("exit 11", true, "envelope address too long for qq (#5.1.3)");
	expect("exit 31", true,
	    "mail server permanently rejected message (#5.3.0)");
	expect("exit 53", false, "qq write error or disk full (#4.3.0)");
	expect("exit 40", true, "qq permanent problem (#5.3.0)");
	expect("exit 41", false, "qq temporary problem (#4.3.0)");
	expect("kill -9 $$", false, "qq crashed (#4.3.0)");
}

static void
test_exit_text(void **state)
{
	static const struct {
		int code;
		const char *text;
	} rows[] = {
		{0,    ""						  },
		{ 11,  "Denvelope address too long for qq (#5.1.3)"        },
		{ 115, "Denvelope address too long for qq (#5.1.3)"        },
		{ 31,  "Dmail server permanently rejected message (#5.3.0)"},
		{ 51,  "Zqq out of memory (#4.3.0)"                        },
		{ 52,  "Zqq timeout (#4.3.0)"                              },
		{ 53,  "Zqq write error or disk full (#4.3.0)"             },
		{ 54,  "Zqq read error (#4.3.0)"                           },
		{ 55,  "Zqq unable to read configuration (#4.3.0)"         },
		{ 56,  "Zqq trouble making network connection (#4.3.0)"    },
		{ 61,  "Zqq trouble in home directory (#4.3.0)"            },
		{ 62,  "Zqq trouble creating files in queue (#4.3.0)"      },
		{ 66,  "Zqq trouble creating files in queue (#4.3.0)"      },
		{ 71,  "Zmail server temporarily rejected message (#4.3.0)"},
		{ 72,  "Zconnection to mail server timed out (#4.4.1)"     },
		{ 73,  "Zconnection to mail server rejected (#4.4.1)"      },
		{ 74,  "Zcommunication with mail server failed (#4.4.2)"   },
		{ 81,  "Zqq internal bug (#4.3.0)"                         },
		{ 91,  "Zqq internal bug (#4.3.0)"                         },
		{ 82,  "Zqq temporary problem (#4.3.0)"                    },
		{ 120, "Zunable to exec qq (#4.3.0)"                       },
		{ 12,  "Dqq permanent problem (#5.3.0)"                    },
		{ 40,  "Dqq permanent problem (#5.3.0)"                    },
		{ 10,  "Zqq temporary problem (#4.3.0)"                    },
		{ 41,  "Zqq temporary problem (#4.3.0)"                    },
		{ 255, "Zqq temporary problem (#4.3.0)"                    },
		{ -1,  "Zqq crashed (#4.3.0)"                              },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(
		    submit_exit_text(rows[i].code), rows[i].text);
}

static void
test_custom(void **state)
{
	(void)state;
	expect("printf 'Dspam here' >&6; exit 82", true, "spam here");
	expect("printf 'Dspam here' >&4; exit 82", true, "spam here");
	expect("printf 'Zlater' >&4; exit 82", false, "later");
	expect("printf 'xlater' >&6; exit 82", false, "later");
	expect(
	    "printf 'Dx' >&6; exit 82", false, "qq temporary problem (#4.3.0)");
	expect("exit 82", false, "qq temporary problem (#4.3.0)");
	expect("printf 'Dspam' >&6; exit 53", false,
	    "qq write error or disk full (#4.3.0)");
}

/* Nothing may leave the line of a reply, or be a control for a terminal. */
static void
test_custom_hostile(void **state)
{
	(void)state;
	expect(
	    "printf 'Dbad\\r\\n250 ok\\n' >&6; exit 82", true, "bad  250 ok");
	expect("printf 'Da\\000b\\033c\\177d\\233e' >&6; exit 82", true,
	    "a b c?d?e");
	expect("printf 'D\\r\\n\\t\\n ' >&6; exit 82", false,
	    "qq temporary problem (#4.3.0)");
}

static void
test_custom_long(void **state)
{
	struct submit_result r;

	(void)state;
	r = run("printf D >&6; head -c 300000 /dev/zero | tr '\\0' x >&6; "
		"exit 82",
	    LONG_MS);
	assert_true(r.permanent);
	assert_int_equal(strlen(r.text), SUBMIT_CUSTOM_MAX);
}

/* The child that talks first and reads later must not lock us up. */
static void
test_talks_while_we_write(void **state)
{
	static char big[500000];
	struct submit_result r;
	struct submit s;

	(void)state;
	memset(big, 'x', sizeof(big));
	script("head -c 300000 /dev/zero >&6; wc -c > m; cat <&1 >/dev/null");
	assert_int_equal(submit_open(&s), 0);
	submit_message(&s, STRV("y"));
	submit_message(&s, strv_from(big, sizeof(big)));
	submit_message(&s, STRV("z"));
	submit_sender(&s, STRV(""));
	submit_close(&s, clock_mono_ms() + LONG_MS, &r);
	assert_true(r.ok);
	expect_file("m", "500002\n", 7);
}

static void
test_background_process(void **state)
{
	int64_t begin = clock_mono_ms();

	(void)state;
	expect("printf 'Dkept' >&6; sleep 30 >/dev/null 2>&1 & exit 82", true,
	    "kept");
	assert_true(clock_mono_ms() - begin < 20000);
}

static void
test_deadline(void **state)
{
	int64_t begin = clock_mono_ms();
	struct submit_result r;

	(void)state;
	r = run("exec sleep 100", SHORT_MS);
	assert_false(r.ok);
	assert_false(r.permanent);
	assert_string_equal(r.text, "qq timeout (#4.3.0)");
	assert_true(clock_mono_ms() - begin >= SHORT_MS);
	assert_true(clock_mono_ms() - begin < 60000);
}

/* run() sees that nobody is left to wait for. */
static void
test_deadline_that_is_ignored(void **state)
{
	struct submit_result r;

	(void)state;
	r = run("trap '' TERM; cat >/dev/null; cat <&1 >/dev/null\n"
		"while :; do sleep 1; done",
	    SHORT_MS);
	assert_false(r.ok);
	assert_false(r.permanent);
	assert_string_equal(r.text, "qq timeout (#4.3.0)");
}

static bool
exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/*
 * Ended by the SIGTERM or ignoring it: what such a program has left behind
 * would write "late" once it sees "gate".
 */
static void
test_deadline_for_all_it_has_started(void **state)
{
	static const char *const traps[] = { "", "trap '' TERM;" };

	(void)state;
	for (size_t i = 0; i < sizeof(traps) / sizeof(*traps); i++) {
		char text[500];
		struct submit_result r;
		struct submit s;

		snprintf(text, sizeof(text),
		    "%s (trap '' TERM; touch born; while [ ! -e gate ]; do "
		    "sleep 0.05; done; touch late) & while :; do sleep 1; done",
		    traps[i]);
		script(text);
		assert_int_equal(submit_open_group(&s), 0);
		while (!exists("born"))
			clock_sleep_ms(10);
		submit_sender(&s, STRV(""));
		submit_close(&s, clock_mono_ms() + SHORT_MS, &r);
		assert_string_equal(r.text, "qq timeout (#4.3.0)");
		scratch_write("gate", "", 0, 0644);
		clock_sleep_ms(500);
		assert_false(exists("late"));
		unlink("gate");
		unlink("born");
	}
}

static void
make_file(const char *path)
{
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

static void
await_gate(void)
{
	for (int i = 0; i < LONG_MS / 10 && !exists("gate"); i++)
		poll(NULL, 0, 10);
}

/*
 * In the state of what waits for the disk until its child ends: like a shell
 * that starts a program, or, with the child in no group of ours, like a
 * qmail-queue at its commit.
 */
static int
stay_in_vfork(bool alone)
{
	signal(SIGTERM, SIG_IGN);
	make_file("born");
	if (vfork() == 0) {
		if (alone)
			setpgid(0, 0);
		await_gate();
		_exit(0);
	}
	await_gate();
	make_file("late");
	return 0;
}

static void
stop_in_vfork(const char *how, struct submit *s)
{
	char self[1000], text[1100];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct submit_result r;

	assert_true(n > 0);
	self[n] = '\0';
	snprintf(text, sizeof(text), "exec '%s' %s", self, how);
	script(text);
	assert_int_equal(submit_open_group(s), 0);
	while (!exists("born"))
		clock_sleep_ms(10);
	submit_sender(s, STRV(""));
	submit_close(s, clock_mono_ms() + SHORT_MS, &r);
	assert_string_equal(r.text, "qq timeout (#4.3.0)");
}

static void
test_deadline_in_vfork(void **state)
{
	struct submit s;

	(void)state;
	stop_in_vfork("vfork", &s);
	/* Nobody is left; the child of vfork may wait to be reaped. */
	for (int i = 0; i < LONG_MS / 10 && kill(-s.pid, 0) == 0; i++)
		clock_sleep_ms(10);
	assert_int_equal(kill(-s.pid, 0), -1);
	assert_false(exists("late"));
}

/* It may have queued, and takes that back when the disk lets it. */
static void
test_deadline_at_the_disk(void **state)
{
	struct submit s;

	(void)state;
	stop_in_vfork("disk", &s);
	scratch_write("gate", "", 0, 0644);
	assert_int_equal(waitpid(s.pid, NULL, 0), s.pid);
	assert_true(exists("late"));
}

/* A program that never reads: the writes have a deadline, too. */
static void
test_deadline_of_writes(void **state)
{
	static char big[200000];
	struct submit_result r;
	struct submit s;

	(void)state;
	script("exec sleep 20");
	assert_int_equal(submit_open(&s), 0);
	s.deadline_ms = clock_mono_ms() + SHORT_MS;
	submit_message(&s, strv_from(big, sizeof(big)));
	assert_true(s.failed);
	submit_sender(&s, STRV(""));
	submit_close(&s, clock_mono_ms(), &r);
	assert_false(r.ok);
	assert_string_equal(r.text, "qq timeout (#4.3.0)");
}

/* A child that ends well although it cannot have read everything. */
static void
test_unread_is_no_success(void **state)
{
	static char big[200000];
	struct submit_result r;
	struct submit s;

	(void)state;
	script("exit 0");
	assert_int_equal(submit_open(&s), 0);
	submit_message(&s, strv_from(big, sizeof(big)));
	submit_sender(&s, STRV(""));
	submit_close(&s, IO_FOREVER, &r);
	assert_false(r.ok);
	assert_string_equal(r.text, "qq read error (#4.3.0)");
}

static void
test_unread_is_no_success_however_little(void **state)
{
	static const struct {
		const char *script;
		bool ok;
	} cases[] = {
		{"exit 0",				   false},
		{ "cat >/dev/null; exit 0",                  false},
		{ "cat <&1 >/dev/null; exit 0",              false},
		{ "cat >/dev/null; cat <&1 >/dev/null",      true },
		{ "cat <&1 >/dev/null; exec cat >/dev/null", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct submit_result r = run(cases[i].script, LONG_MS);

		assert_int_equal(r.ok, cases[i].ok);
		assert_string_equal(
		    r.text, r.ok ? "" : "qq read error (#4.3.0)");
	}
}

static void
test_poisoned_address(void **state)
{
	struct submit_result r;
	struct submit s;

	(void)state;
	script("cat >/dev/null; cat <&1 > e; exit 54");
	assert_int_equal(submit_open(&s), 0);
	submit_message(&s, STRV("m"));
	submit_sender(&s, STRV("a"));
	submit_recipient(&s, STRV("b\0Tc"));
	submit_close(&s, IO_FOREVER, &r);
	assert_false(r.ok);
	expect_file("e", "", 0);
}

static void
test_abort(void **state)
{
	struct submit s;

	(void)state;
	script("cat >/dev/null; cat <&1 > e; exit 54");
	assert_int_equal(submit_open(&s), 0);
	submit_message(&s, STRV("m"));
	submit_abort(&s);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	expect_file("e", "", 0);
	assert_int_equal(submit_open(&s), 0);
	submit_message(&s, STRV("m"));
	submit_sender(&s, STRV("a"));
	submit_abort(&s);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	expect_file("e", "", 0);
}

static void
test_absent_program(void **state)
{
	struct submit_result r;
	struct submit s;

	(void)state;
	assert_int_equal(submit_open(&s), 0);
	submit_sender(&s, STRV(""));
	submit_close(&s, IO_FOREVER, &r);
	assert_string_equal(r.text, "unable to exec qq (#4.3.0)");
	assert_int_equal(env_set("QMAILHOME", "/nonexistent"), 0);
	assert_int_equal(submit_open(&s), 0);
	submit_sender(&s, STRV(""));
	submit_close(&s, IO_FOREVER, &r);
	assert_string_equal(r.text, "qq trouble in home directory (#4.3.0)");
}

static void
test_default_program(void **state)
{
	struct submit_result r;
	struct submit s;

	(void)state;
	assert_int_equal(env_set("QMAILQUEUE", ""), 0);
	assert_int_equal(mkdir("bin", 0755), 0);
	scratch_write("bin/qmail-queue", "#!/bin/sh\nexit 71\n", 18, 0755);
	assert_int_equal(submit_open(&s), 0);
	submit_sender(&s, STRV(""));
	submit_close(&s, IO_FOREVER, &r);
	assert_string_equal(
	    r.text, "mail server temporarily rejected message (#4.3.0)");
}

/* Without poll(2) the child is waited for as well, and not given up. */
static void
test_end_that_nothing_tells(void **state)
{
	struct submit_result r;
	struct rlimit files, few;
	struct submit s;

	(void)state;
	script("cat >message; cat <&1 >envelope; sleep 0.1; exit 31");
	assert_int_equal(submit_open(&s), 0);
	submit_message(&s, STRV("body\n"));
	submit_sender(&s, STRV("a@b"));
	submit_recipient(&s, STRV("c@d"));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	few = files;
	few.rlim_cur = 1; /* poll(2) takes no more than so many */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	submit_close(&s, clock_mono_ms() + LONG_MS, &r);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	assert_true(r.permanent);
	assert_string_equal(
	    r.text, "mail server permanently rejected message (#5.3.0)");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void
test_timeout_arithmetic(void **state)
{
	(void)state;
	assert_int_equal(submit_child_timeout(IO_FOREVER), -1);
	assert_int_equal(submit_child_timeout(0), 0);
	assert_true(submit_child_timeout(submit_child_deadline(5000)) > 0);
	assert_true(submit_child_timeout(IO_FOREVER - 1) > 0);
}

#define IN_SCRATCH(f) cmocka_unit_test_setup_teardown(f, enter, scratch_leave)

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_success),
		IN_SCRATCH(test_exit_codes),
		cmocka_unit_test(test_exit_text),
		IN_SCRATCH(test_custom),
		IN_SCRATCH(test_custom_hostile),
		IN_SCRATCH(test_custom_long),
		IN_SCRATCH(test_talks_while_we_write),
		IN_SCRATCH(test_background_process),
		IN_SCRATCH(test_deadline),
		IN_SCRATCH(test_deadline_that_is_ignored),
		IN_SCRATCH(test_deadline_for_all_it_has_started),
		IN_SCRATCH(test_deadline_in_vfork),
		IN_SCRATCH(test_deadline_at_the_disk),
		IN_SCRATCH(test_deadline_of_writes),
		IN_SCRATCH(test_unread_is_no_success),
		IN_SCRATCH(test_unread_is_no_success_however_little),
		IN_SCRATCH(test_poisoned_address),
		IN_SCRATCH(test_abort),
		IN_SCRATCH(test_absent_program),
		IN_SCRATCH(test_default_program),
		IN_SCRATCH(test_end_that_nothing_tells),
		cmocka_unit_test(test_timeout_arithmetic),
	};

	if (argc == 2)
		return stay_in_vfork(strcmp(argv[1], "disk") == 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
