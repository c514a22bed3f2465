/* smtp/sasl_ask, auth/authd: both ends of the socket of qmail-authd. */
#include "auth/authd.h"
#include "base/clock.h"
#include "smtp/sasl_ask.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define SOCKET_NAME "sasl-ask-socket"

/* A daemon that answers one question with these bytes, or not at all. */
static pid_t
start_daemon(struct strv reply, bool hangs)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
		.sun_path = SOCKET_NAME };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char question[SASL_QUESTION_MAX];
	pid_t pid;
	int fd;

	assert_true(listener >= 0);
	(void)unlink(SOCKET_NAME);
	assert_int_equal(
	    bind(listener, (const struct sockaddr *)&address, sizeof(address)),
	    0);
	assert_int_equal(listen(listener, 5), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		close(listener);
		return pid;
	}
	fd = accept(listener, NULL, NULL);
	if (hangs)
		pause();
	if (recv(fd, question, sizeof(question), 0) != 16 ||
	    memcmp(question, "plain\0joe\0pass\0", 16) != 0)
		_exit(1);
	if (reply.len > 0)
		(void)!send(fd, reply.ptr, reply.len, 0);
	_exit(0);
}

static enum sasl_result
ask(const char *checker, int64_t ms, const char **trouble)
{
	char *const argv[] = { (char *)(uintptr_t)checker, NULL };
	struct sasl_checker how = { .argv = argv,
		.deadline_ms = clock_mono_ms() + ms };
	struct buf challenge = BUF_INIT;
	enum sasl_result r;
	struct sasl x;

	sasl_init(&x, "smtp", STRV("host"));
	assert_int_equal(
	    sasl_set_clear(&x, STRV("joe"), STRV("pass")), SASL_CHECK);
	r = sasl_check(&x, &how, &challenge);
	*trouble = how.trouble;
	sasl_free(&x);
	buf_free(&challenge);
	return r;
}

static enum sasl_result
ask_daemon(struct strv reply, const char **trouble)
{
	pid_t pid = start_daemon(reply, false);
	enum sasl_result r = ask("unix:" SOCKET_NAME, 30000, trouble);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return r;
}

static void
test_sasl_ask_answers(void **state)
{
	const char *why;

	(void)state;
	assert_true(sasl_ask_is_socket("unix:x"));
	assert_false(sasl_ask_is_socket("checkqpasswd"));
	assert_int_equal(ask_daemon(STRV("0"), &why), SASL_DONE);
	assert_null(why);
	assert_int_equal(ask_daemon(STRV("1"), &why), SASL_REFUSED);
	assert_null(why);
	assert_int_equal(ask_daemon(STRV("2"), &why), SASL_FAILED);
	assert_non_null(why);
	assert_int_equal(ask_daemon(STRV("t"), &why), SASL_FAILED);
	assert_int_equal(ask_daemon(STRV("x"), &why), SASL_FAILED);
	assert_int_equal(ask_daemon(STRV_EMPTY, &why), SASL_FAILED);
	assert_non_null(why);
}

static void
test_sasl_ask_without_a_daemon(void **state)
{
	char path[200] = "unix:";
	const char *why;
	int status;
	pid_t pid;

	(void)state;
	(void)unlink(SOCKET_NAME);
	assert_int_equal(ask("unix:" SOCKET_NAME, 1000, &why), SASL_FAILED);
	assert_non_null(why);
	/* Paths of no socket. */
	assert_int_equal(ask("unix:", 1000, &why), SASL_FAILED);
	assert_non_null(why);
	memset(path + 5, 'x', sizeof(path) - 6);
	assert_int_equal(ask(path, 1000, &why), SASL_FAILED);
	assert_string_equal(why, error_text(ENAMETOOLONG));
	pid = start_daemon(STRV_EMPTY, true);
	assert_int_equal(ask("unix:" SOCKET_NAME, 50, &why), SASL_FAILED);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)unlink(SOCKET_NAME);
}

static char
answer(struct strv question)
{
	struct buf reply = BUF_LIMIT(SASL_REPLY_MAX);
	struct authd_files files;
	struct authd a = { .files = &files, .has_private = true };
	char c;

	authd_files_init(&files, false);
	assert_true(authd_files_load(&files));
	assert_false(authd_files_load(&files));
	authd_answer(&a, question, &reply);
	assert_true(reply.len >= 1);
	c = reply.data[0];
	buf_free(&reply);
	authd_files_free(&files);
	return c;
}

static void
test_authd_answers(void **state)
{
	char dir[64], here[1024];
	struct buf text = BUF_INIT;
	char longest[700];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	unit_make_dir(dir);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(answer(STRV("plain\0joe\0pass\0\0")), '1');
	assert_int_equal(mkdir("users", 0700), 0);
	assert_int_equal(mkdir("joe", 0700), 0);
	unit_write("joe/.qpasswd", STRV("pass\n"));
	buf_addf(&text, "[%s:%ld:%ld]\njoe:joe\n", dir, (long)geteuid(),
	    (long)getegid());
	unit_write("users/qpasswd", buf_view(&text));
	assert_int_equal(answer(STRV("plain\0joe\0pass\0\0")), '0');
	assert_int_equal(answer(STRV("plain\0joe\0wrong\0\0")), '1');
	assert_int_equal(answer(STRV("plain\0eve\0pass\0\0")), '1');
	assert_int_equal(answer(STRV("gssapi\0joe\0pass\0\0")), '1');
	assert_int_equal(answer(STRV("cram-md5\0joe\0x\0y\0")), '1');
	/* Torn, or without its facts. */
	assert_int_equal(answer(STRV("digest-md5\0joe\0x\0y\0")), '2');
	assert_int_equal(answer(STRV("plain\0joe\0pass\0")), '2');
	assert_int_equal(answer(STRV("plain")), '2');
	assert_int_equal(answer(STRV("\0joe\0pass\0\0")), '2');
	assert_int_equal(answer(STRV("plain\0\0pass\0\0")), '2');
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(answer(strv_from(longest, sizeof(longest))), '2');
	/* A file that is not closed, and one of another uid. */
	assert_int_equal(chmod("joe/.qpasswd", 0644), 0);
	assert_int_equal(answer(STRV("plain\0joe\0pass\0\0")), 't');
	assert_int_equal(chmod("joe/.qpasswd", 0600), 0);
	unit_write("users/qpasswd", STRV("[/x:4711:1]\njoe:joe\n"));
	assert_int_equal(answer(STRV("plain\0joe\0pass\0\0")), 't');
	unit_write("users/qpasswd", STRV("broken\n"));
	assert_int_equal(answer(STRV("plain\0joe\0pass\0\0")), 't');
	assert_int_equal(chdir(here), 0);
	buf_free(&text);
	unit_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sasl_ask_answers),
		cmocka_unit_test(test_sasl_ask_without_a_daemon),
		cmocka_unit_test(test_authd_answers),
	};

	return RUN_TESTS(tests);
}
