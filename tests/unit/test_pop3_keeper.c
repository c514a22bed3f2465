/* pop3/keeper: what it does for a front that has been taken over. */
#include "base/clock.h"
#include "base/spawn.h"
#include "pop3/link.h"
#include "pop3/popup.h"
#include "unit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* One session: a front that does nothing, a keeper, and our end of the link. */
struct session {
	pid_t front, keeper;
	int link;
};

/* With a checker that refuses everybody. */
static _Noreturn void
keep(int link, pid_t front, int64_t end_ms)
{
	static char program[] = "false";
	char *const checker[] = { program, NULL };
	struct popup p = { .conn = { .end_ms = end_ms },
		.settings = { .checker_seconds = 60 },
		.subprogram = checker,
		.front = front,
		.jail = -1,
		.link = link };

	keeper_run(&p);
}

static _Noreturn void
do_nothing(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static void
begin(struct session *s, int64_t end_ms)
{
	int link[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link), 0);
	s->front = fork();
	assert_true(s->front >= 0);
	if (s->front == 0)
		do_nothing();
	s->keeper = fork();
	assert_true(s->keeper >= 0);
	if (s->keeper == 0) {
		close(link[0]);
		keep(link[1], s->front, end_ms);
	}
	close(link[1]);
	s->link = link[0];
}

/* The keeper has ended, and has ended the front before. */
static void
end(struct session *s)
{
	int status = 0;

	assert_int_equal(spawn_wait(s->keeper, &status), 0);
	assert_int_equal(spawn_exit_code(status), POPUP_END);
	alarm(60);
	assert_int_equal(spawn_wait(s->front, &status), 0);
	alarm(0);
	assert_true(WIFSIGNALED(status));
	close(s->link);
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
	struct session s;

	(void)state;
	begin(&s, clock_deadline(600));
	for (int i = 0; i < POPUP_FAILURES_MAX; i++) {
		ask(s.link);
		assert_int_equal(link_receive(s.link, &answer), 0);
		assert_int_equal(answer.len, 1);
		assert_int_equal(answer.data[0], LINK_REFUSED);
	}
	ask(s.link);
	assert_int_equal(link_receive(s.link, &answer), QE_EOF);
	end(&s);
	buf_free(&answer);
}

/* It ends in time, by itself; this one does not either. */
static void
test_keeper_waits_no_longer_than_a_session(void **state)
{
	struct session s;
	char byte;

	(void)state;
	begin(&s, clock_mono_ms() - 600000);
	alarm(60);
	assert_int_equal(read(s.link, &byte, 1), 0);
	end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeper_counts_logins),
		cmocka_unit_test(test_keeper_waits_no_longer_than_a_session),
	};

	return RUN_TESTS(tests);
}
