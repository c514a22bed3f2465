/* pop3/keeper: what it does for a front that has been taken over. */
#include "base/spawn.h"
#include "pop3/link.h"
#include "pop3/popup.h"
#include "unit.h"

#include <sys/socket.h>

/* With a checker that refuses everybody. */
static _Noreturn void
keep(int link)
{
	static char program[] = "false";
	char *const checker[] = { program, NULL };
	struct popup p = { .settings = { .checker_seconds = 60 },
		.subprogram = checker,
		.front = getpid(), /* nobody else is to be killed */
		.jail = -1,
		.link = link };

	keeper_run(&p);
}

static void
ask(int link)
{
	struct buf request = BUF_LIMIT(LINK_MAX);
	struct sasl x;

	sasl_init(&x, "pop", STRV("a.example"));
	assert_int_equal(
	    sasl_set_clear(&x, STRV("joe"), STRV("guess")), SASL_CHECK);
	link_encode_login(&request, &x);
	assert_int_equal(request.err, 0);
	assert_int_equal(link_send(link, buf_view(&request)), 0);
	sasl_free(&x);
	buf_free(&request);
}

/* The front counts failures, too; this one does not. */
static void
test_keeper_counts_logins(void **state)
{
	struct buf answer = BUF_LIMIT(LINK_MAX);
	int link[2], status = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(link[0]);
		keep(link[1]);
	}
	close(link[1]);
	for (int i = 0; i < POPUP_FAILURES_MAX; i++) {
		ask(link[0]);
		assert_int_equal(link_receive(link[0], &answer), 0);
		assert_int_equal(answer.len, 1);
		assert_int_equal(answer.data[0], LINK_REFUSED);
	}
	ask(link[0]);
	assert_int_equal(link_receive(link[0], &answer), QE_EOF);
	assert_int_equal(spawn_wait(pid, &status), 0);
	assert_int_equal(spawn_exit_code(status), POPUP_END);
	close(link[0]);
	buf_free(&answer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeper_counts_logins),
	};

	return RUN_TESTS(tests);
}
