/* pop3/conn: the limits of a session that hold in the middle of a reply. */
#include "pop3/conn.h"

#include "base/clock.h"
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>

enum {
	SIP_BYTES = 1024, /* at a time */
	SIP_MS = 20,
	OUT_BYTES = 4096,
	REPLY_BYTES = 1 << 20 /* sipped, it takes 20 seconds */
};

/* A client that reads its mail as slowly as it can. */
static pid_t
start_sipping(const int fds[2])
{
	pid_t pid = fork();
	char sip[SIP_BYTES];

	assert_true(pid >= 0);
	if (pid == 0)
		close(fds[1]);
	while (pid == 0) {
		if (io_read(fds[0], sip, sizeof(sip)) <= 0)
			_exit(0);
		clock_sleep_ms(SIP_MS);
	}
	return pid;
}

static void
test_pop3_conn_session_ends_within_a_reply(void **state)
{
	char in[1], out[OUT_BYTES], piece[SIP_BYTES] = { 0 };
	int64_t start = clock_mono_ms();
	struct pop3_conn c;
	size_t sent = 0;
	int fds[2], r = 0;
	pid_t client;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(io_pipe(fds), 0);
	client = start_sipping(fds);
	pop3_conn_init(&c, in, sizeof(in), out, sizeof(out), 1);
	c.out.fd = fds[1];
	assert_int_equal(io_set_nonblocking(fds[1], true), 0);
	pop3_ok(&c, "");
	assert_int_equal(pop3_flush(&c), 0);
	while (r == 0 && sent < REPLY_BYTES) {
		r = sink_put(&c.out, piece, sizeof(piece));
		sent += sizeof(piece);
	}
	assert_int_equal(r, QE_TIMEOUT);
	assert_true(clock_mono_ms() - start >= 900);
	pop3_conn_free(&c);
	kill(client, SIGKILL);
	waitpid(client, NULL, 0);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pop3_conn_session_ends_within_a_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
