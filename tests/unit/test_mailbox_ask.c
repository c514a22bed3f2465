/* Asking qmail-realrcpt: every answer and every failure has an outcome. */
#include "conf/mailbox_ask.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { TIMEOUT_MS = 200, PATIENT_MS = 10000 };

static char directory[64];
static int listener;

static int
setup(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX,
		.sun_path = MAILBOX_SOCKET };

	(void)state;
	unit_make_dir(directory);
	if (chdir(directory) < 0 || mkdir(MAILBOX_DIRECTORY, 0700) < 0)
		return -1;
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&name, sizeof(name)) < 0)
		return -1;
	return listen(listener, 1);
}

static int
teardown(void **state)
{
	(void)state;
	close(listener);
	if (chdir("/") < 0)
		return -1;
	unit_remove(directory);
	return 0;
}

/* Asks about "Foo-Bar" a server that says so many bytes of answer. */
static int
ask_one_that_says(const char *answer, size_t len)
{
	pid_t server = fork();
	int status, r;

	if (server == 0) {
		int fd = accept(listener, NULL, NULL);
		char question[64];
		ssize_t got = recv(fd, question, sizeof(question), 0);

		if (got != 7 || memcmp(question, "Foo-Bar", 7) != 0)
			_exit(1);
		if (len > 0 && send(fd, answer, len, 0) < 0)
			_exit(2);
		_exit(0);
	}
	assert_true(server > 0);
	r = mailbox_ask(STRV("Foo-Bar"), PATIENT_MS);
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_int_equal(status, 0);
	return r;
}

static void
test_answers(void **state)
{
	(void)state;
	assert_int_equal(ask_one_that_says("y", 1), 0);
	assert_int_equal(ask_one_that_says("n", 1), QE_ABSENT);
	assert_int_equal(ask_one_that_says("t", 1), QE_TEMP);
	assert_int_equal(ask_one_that_says("no", 2), QE_ABSENT);
	assert_int_equal(ask_one_that_says("x", 1), QE_SYS);
	assert_int_equal(ask_one_that_says("", 0), QE_SYS);
}

static void
test_silence_ends_in_time(void **state)
{
	(void)state;
	assert_int_equal(mailbox_ask(STRV("x"), TIMEOUT_MS), QE_SYS);
	assert_int_equal(errno, EAGAIN);
}

static void
test_nobody_there(void **state)
{
	(void)state;
	assert_int_equal(unlink(MAILBOX_SOCKET), 0);
	assert_int_equal(mailbox_ask(STRV("x"), TIMEOUT_MS), QE_SYS);
	assert_int_equal(errno, ENOENT);
}

static void
test_what_cannot_be_asked(void **state)
{
	char local[MAILBOX_LOCAL_MAX + 1] = "";

	(void)state;
	assert_int_equal(mailbox_ask(STRV_EMPTY, TIMEOUT_MS), QE_LIMIT);
	assert_int_equal(
	    mailbox_ask(strv_from(local, sizeof(local)), TIMEOUT_MS), QE_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_silence_ends_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_nobody_there, setup, teardown),
		cmocka_unit_test(test_what_cannot_be_asked),
	};

	return RUN_TESTS(tests);
}
