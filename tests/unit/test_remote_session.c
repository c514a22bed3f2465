/*
 * Sessions that carry several messages, with a server in a child process that
 * answers line by line from a script.
 */
#include "remote/session.h"

#include "base/io.h"
#include "base/spawn.h"
#include "unit.h"

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { REMOTE_MS = 10000, TEXT = 4096 };

static char *const one[] = { (char[]){ "r@x" } };

struct scene {
	struct peer_settings settings;
	struct target target;
	struct session session;
	struct report report;
	int listener, log; /* what the server heard, in a file */
	pid_t server;
};

/* Answers each line with the next reply; data ends with a lone dot. */
static void
serve(int listener, int log, const char *const *replies)
{
	int fd = accept(listener, NULL, NULL);
	FILE *in = fdopen(fd, "r");
	char line[TEXT];
	bool data = false;

	while (*replies != NULL) {
		if (write(fd, *replies, strlen(*replies)) < 0)
			break;
		data = strncmp(*replies++, "354", 3) == 0;
		do {
			if (fgets(line, sizeof(line), in) == NULL)
				_exit(0);
			if (write(log, line, strlen(line)) < 0)
				_exit(1);
		} while (data && strcmp(line, ".\r\n") != 0);
	}
	_exit(0);
}

static void
scene_init(struct scene *s, const char *const *replies)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);

	memset(s, 0, sizeof(*s));
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	s->log = memfd_create("log", MFD_CLOEXEC);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(
	    bind(s->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(s->listener, 4), 0);
	assert_int_equal(
	    getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
	s->target.port = ntohs(at.sin_port);
	assert_int_equal(ipaddr_parse(STRV("127.0.0.1"), &s->target.ip), 0);
	s->settings = (struct peer_settings){ .helohost = STRV("me.example"),
		.connect_ms = REMOTE_MS,
		.remote_ms = REMOTE_MS };
	session_init(&s->session);
	assert_int_equal(report_init(&s->report, one, 1), 0);
	s->server = fork();
	assert_true(s->server >= 0);
	if (s->server == 0)
		serve(s->listener, s->log, replies);
}

static int
scene_open(struct scene *s)
{
	struct security_want want = { .level = TLS_LEVEL_NONE };
	struct plan plan = { .protocol = PLAN_SMTP };
	struct session_wish wish = { &s->settings, &plan, &s->target, &want,
		STRV("key") };

	return session_open(&s->session, &wish, &s->report);
}

static enum verdict
scene_send(struct scene *s)
{
	struct message message;
	enum verdict verdict;
	int fd = memfd_create("message", MFD_CLOEXEC);

	report_free(&s->report);
	assert_int_equal(report_init(&s->report, one, 1), 0);
	assert_int_equal(io_write_all(fd, "m\n", 2), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(message_open(fd, &message), 0);
	verdict = session_send(&s->session, &message, STRV("s@x"), &s->report);
	message_close(&message);
	close(fd);
	return verdict;
}

/* What the server heard in all. */
static void
scene_end(struct scene *s, const char *want)
{
	char got[TEXT] = "";
	int status;

	session_close(&s->session);
	assert_false(session_is_usable(&s->session));
	assert_int_equal(spawn_wait(s->server, &status), 0);
	assert_true(pread(s->log, got, sizeof(got) - 1, 0) >= 0);
	assert_string_equal(got, want);
	close(s->listener);
	close(s->log);
	report_free(&s->report);
}

static void
test_two_messages_share_a_session(void **state)
{
	static const char *const replies[] = { "220 hi\r\n", "250 x\r\n",
		"250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 one\r\n",
		"250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 two\r\n", NULL };
	struct scene s;

	(void)state;
	scene_init(&s, replies);
	assert_int_equal(scene_open(&s), 0);
	assert_true(session_fits(&s.session, STRV("key")));
	assert_false(session_fits(&s.session, STRV("other")));
	assert_int_equal(scene_send(&s), VERDICT_FINAL);
	assert_buf(&s.report.text,
	    "127.0.0.1 accepted message.\nRemote host said: 250 one\n");
	assert_true(session_fits(&s.session, STRV("key")));
	assert_int_equal(scene_send(&s), VERDICT_FINAL);
	assert_int_equal(s.report.letter, 'K');
	scene_end(&s, "EHLO me.example\r\n"
		      "MAIL FROM:<s@x>\r\nRCPT TO:<r@x>\r\nDATA\r\nm\r\n.\r\n"
		      "MAIL FROM:<s@x>\r\nRCPT TO:<r@x>\r\nDATA\r\nm\r\n.\r\n"
		      "QUIT\r\n");
}

static void
test_reset_after_half_a_transaction(void **state)
{
	static const char *const replies[] = { "220 hi\r\n", "250 x\r\n",
		"250 ok\r\n", "550 no\r\n",  /* then RSET */
		"250 ok\r\n", "550 bad\r\n", /* then RSET */
		"250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n",
		"250 kept\r\n", NULL };
	struct scene s;

	(void)state;
	scene_init(&s, replies);
	assert_int_equal(scene_open(&s), 0);
	assert_int_equal(scene_send(&s), VERDICT_FINAL);
	assert_buf(&s.report.text, "Giving up on 127.0.0.1.\n");
	assert_int_equal(scene_send(&s), VERDICT_FINAL);
	assert_int_equal(s.report.letter, 'D');
	assert_int_equal(scene_send(&s), VERDICT_FINAL);
	assert_int_equal(s.report.letter, 'K');
	scene_end(&s, "EHLO me.example\r\n"
		      "MAIL FROM:<s@x>\r\nRCPT TO:<r@x>\r\nRSET\r\n"
		      "MAIL FROM:<s@x>\r\nRSET\r\n"
		      "MAIL FROM:<s@x>\r\nRCPT TO:<r@x>\r\nDATA\r\nm\r\n.\r\n"
		      "QUIT\r\n");
}

static void
test_server_that_has_gone_is_noticed(void **state)
{
	static const char *const replies[] = { "220 hi\r\n", "250 x\r\n",
		"250 ok\r\n", "250 ok\r\n", "354 go\r\n",
		"250 one\r\n421 closing\r\n", NULL };
	struct scene s;

	(void)state;
	scene_init(&s, replies);
	assert_int_equal(scene_open(&s), 0);
	assert_int_equal(scene_send(&s), VERDICT_FINAL);
	assert_int_equal(s.report.letter, 'K');
	assert_false(session_is_usable(&s.session));
	session_close(&s.session);
	session_close(&s.session);
	scene_end(&s,
	    "EHLO me.example\r\nMAIL FROM:<s@x>\r\nRCPT TO:<r@x>\r\nDATA\r\n"
	    "m\r\n.\r\nQUIT\r\n");
}

static void
test_greeting_that_ends_it(void **state)
{
	static const char *const replies[] = { "554 no\r\n", NULL };
	struct scene s;

	(void)state;
	scene_init(&s, replies);
	assert_int_equal(scene_open(&s), QE_EOF);
	assert_false(s.session.is_open);
	assert_int_equal(s.report.letter, 'Z');
	assert_buf(&s.report.text,
	    "Connected to 127.0.0.1 but greeting failed.\n"
	    "Remote host said: 554 no\n");
	scene_end(&s, "QUIT\r\n");
}

/* What one of several is told, whose part could not even be begun. */
static void
test_nobody_gets_what_he_was_not_asked_for(void **state)
{
	char *const two[] = { (char[]){ "a@x" }, (char[]){ "b@x" } };
	struct buf out = BUF_INIT;
	struct report report;

	(void)state;
	assert_int_equal(report_init(&report, two, 2), 0);
	report.recipients[0].state = RECIPIENT_ACCEPTED;
	report_set(&report, 'K', "taken");
	report_add_single(&report, 0, &out);
	assert_int_equal(out.data[0], 'r');
	buf_reset(&out);
	report_add_single(&report, 1, &out);
	assert_int_equal(out.data[0], 's');
	assert_string_equal(out.data + strlen(out.data) + 1, "Ktaken\n");
	buf_reset(&out);
	report_set(&report, 'D', "no");
	report_add_single(&report, 1, &out);
	assert_string_equal(out.data, "Dno\n");
	buf_free(&out);
	report_free(&report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_messages_share_a_session),
		cmocka_unit_test(test_reset_after_half_a_transaction),
		cmocka_unit_test(test_server_that_has_gone_is_noticed),
		cmocka_unit_test(test_greeting_that_ends_it),
		cmocka_unit_test(test_nobody_gets_what_he_was_not_asked_for),
	};

	return RUN_TESTS(tests);
}
