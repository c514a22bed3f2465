/* smtp/lmtp: servers of every kind, played by a child on a socket. */
#include "smtp/lmtp.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* What the server says at the start and after each command or body. */
struct script {
	const char *lines[8]; /* NULL: it closes the connection */
	bool silent;          /* it says no more, and stays */
};

static const struct lmtp_times quick = { 2000, 300, 300, 2000 };

struct fixture {
	char dir[64];
	char path[96];
	int listener, message;
	pid_t pid;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char message[96];

	assert_non_null(f);
	signal(SIGPIPE, SIG_IGN);
	unit_make_dir(f->dir);
	snprintf(f->path, sizeof(f->path), "%s/socket", f->dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(f->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(f->listener, 1), 0);
	snprintf(message, sizeof(message), "%s/message", f->dir);
	unit_write(message, STRV("Subject: x\n\n.dot\nlast"));
	f->message = open(message, O_RDONLY | O_CLOEXEC);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	close(f->listener);
	close(f->message);
	unit_remove(f->dir);
	free(f);
	return 0;
}

/* A turn of the client ends at its end of body, or else at a line. */
static bool
hear_turn(FILE *in, FILE *log, bool body)
{
	char line[2048];

	do {
		if (fgets(line, sizeof(line), in) == NULL)
			return false;
		fputs(line, log);
	} while (body && strcmp(line, ".\r\n") != 0);
	return true;
}

static _Noreturn void
play(const struct fixture *f, const struct script *script)
{
	int fd = accept(f->listener, NULL, NULL);
	FILE *in = fdopen(fd, "r");
	char path[96];
	FILE *log;

	snprintf(path, sizeof(path), "%s/log", f->dir);
	log = fopen(path, "w");
	for (size_t i = 0; script->lines[i] != NULL; i++) {
		bool body =
		    i > 0 && strncmp(script->lines[i - 1], "354", 3) == 0;

		if (i > 0 && !hear_turn(in, log, body))
			break;
		if (write(fd, script->lines[i], strlen(script->lines[i])) < 0)
			break;
	}
	fflush(log);
	/* It must not wait for us, so we are ended by it. */
	if (script->silent)
		pause();
	while (script->lines[0] != NULL && hear_turn(in, log, false))
		fflush(log);
	fclose(log);
	_exit(0);
}

static enum lmtp_outcome
run(struct fixture *f, const struct script *script, struct buf *text)
{
	struct lmtp_server server;
	struct lmtp_message m = { .my_name = STRV("me.example"),
		.sender = STRV("s p@x.example"),
		.recipient = STRV("joe@h.example"),
		.prefix = STRV("Delivered-To: joe@h.example\n"),
		.fd = f->message };
	enum lmtp_outcome outcome;

	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0)
		play(f, script);
	assert_int_equal(lmtp_server_parse(strv_of(f->path), &server), 0);
	outcome = lmtp_deliver(&server, &m, &quick, text);
	if (script->silent)
		kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	return outcome;
}

static void
expect(struct fixture *f, const struct script *script,
    enum lmtp_outcome outcome, const char *text)
{
	struct buf said = BUF_INIT;

	assert_int_equal(run(f, script, &said), outcome);
	assert_same(buf_view(&said), strv_of(text));
	buf_free(&said);
}

#define GREET "220 hi\r\n", "250-h\r\n250 SIZE\r\n"
#define READY GREET, "250 ok\r\n", "250 ok\r\n", "354 go\r\n"

static void
test_lmtp_delivers(void **state)
{
	struct fixture *f = *state;
	const struct script script = {
		{READY, "250 2.0.0 saved\r\n"},
                0
	};
	char path[96];
	struct buf log;

	expect(f, &script, LMTP_DELIVERED, "250 2.0.0 saved\n");
	snprintf(path, sizeof(path), "%s/log", f->dir);
	log = unit_read(path);
	assert_buf(&log, "LHLO me.example\r\n"
			 "MAIL FROM:<\"s p\"@x.example>\r\n"
			 "RCPT TO:<joe@h.example>\r\nDATA\r\n"
			 "Delivered-To: joe@h.example\r\n"
			 "Subject: x\r\n\r\n..dot\r\nlast\r\n.\r\nQUIT\r\n");
	buf_free(&log);
}

static void
test_lmtp_refused(void **state)
{
	const struct script sender = {
		{GREET, "550 no\r\n"},
                0
	};
	const struct script full = {
		{GREET, "250 ok\r\n", "552 5.2.2 full\r\n"},
                0
	};
	const struct script late = {
		{READY, "554-a\r\n554 b\r\n"},
                0
	};

	expect(*state, &sender, LMTP_REFUSED, "550 no\n");
	expect(*state, &full, LMTP_REFUSED, "552 5.2.2 full\n");
	expect(*state, &late, LMTP_REFUSED, "554-a\n554 b\n");
}

static void
test_lmtp_deferred(void **state)
{
	const struct script busy = { { "554 go away\r\n" }, 0 };
	const struct script smtp = {
		{"220 hi\r\n", "502 what?\r\n"},
                0
	};
	const struct script later = {
		{GREET, "250 ok\r\n", "450 4.2.0 later\r\n"},
                0
	};
	const struct script odd = {
		{READY, "354 more\r\n"},
                0
	};
	const struct script data = {
		{GREET, "250 ok\r\n", "250 ok\r\n", "250 ok\r\n"},
                0
	};

	expect(*state, &busy, LMTP_DEFERRED, "554 go away\n");
	expect(*state, &smtp, LMTP_DEFERRED, "502 what?\n");
	expect(*state, &later, LMTP_DEFERRED, "450 4.2.0 later\n");
	expect(*state, &odd, LMTP_DEFERRED, "354 more\n");
	expect(*state, &data, LMTP_DEFERRED, "250 ok\n");
}

static void
test_lmtp_hostile(void **state)
{
	const struct script garbage = { { "\1\2\377 hello\r\n" }, 0 };
	const struct script ends = { { NULL }, 0 };
	const struct script silent = { { GREET }, 1 };
	const struct script mute = {
		{READY, "25"},
                1
	};
	struct buf said = BUF_INIT;

	assert_int_equal(run(*state, &garbage, &said), LMTP_DEFERRED);
	assert_int_equal(said.len, 0);
	expect(*state, &ends, LMTP_DIED, "");
	expect(*state, &silent, LMTP_DIED, "");
	expect(*state, &mute, LMTP_DIED_LATE, "");
	buf_free(&said);
}

static void
test_lmtp_addresses_and_sockets(void **state)
{
	struct fixture *f = *state;
	struct lmtp_message m = { .sender = STRV("a@b\r\nRSET"),
		.recipient = STRV("c@d"),
		.fd = f->message };
	struct lmtp_server server;
	struct buf said = BUF_INIT;
	char path[128];

	assert_int_equal(lmtp_server_parse(strv_of(f->path), &server), 0);
	assert_int_equal(
	    lmtp_deliver(&server, &m, &quick, &said), LMTP_ADDRESS);
	m.sender = STRV("a@b");
	m.recipient = STRV("c@d> X");
	assert_int_equal(
	    lmtp_deliver(&server, &m, &quick, &said), LMTP_ADDRESS);
	m.recipient = STRV("c@d");
	snprintf(path, sizeof(path), "%s/none", f->dir);
	assert_int_equal(lmtp_server_parse(strv_of(path), &server), 0);
	assert_int_equal(
	    lmtp_deliver(&server, &m, &quick, &said), LMTP_CONNECT);
	assert_int_equal(errno, ENOENT);
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(lmtp_server_parse(strv_of(path), &server), 0);
	assert_int_equal(
	    lmtp_deliver(&server, &m, &quick, &said), LMTP_CONNECT);
	assert_int_equal(errno, ENAMETOOLONG);
	buf_free(&said);
}

static void
test_lmtp_server_parse(void **state)
{
	static const char *const bad[] = { "", "host", ":24", "h:", "h:0",
		"h:65536", "h:x", "2001:db8::1:24" };
	struct lmtp_server s;
	char name[300];

	(void)state;
	assert_int_equal(lmtp_server_parse(STRV("localhost:24"), &s), 0);
	assert_string_equal(s.host, "localhost");
	assert_int_equal(s.port, 24);
	assert_int_equal(lmtp_server_parse(STRV("[::1]:24"), &s), 0);
	assert_string_equal(s.host, "[::1]");
	assert_int_equal(lmtp_server_parse(STRV("/a:b"), &s), 0);
	assert_int_equal(s.port, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    lmtp_server_parse(strv_of(bad[i]), &s), QE_SYNTAX);
	memset(name, '/', sizeof(name));
	assert_int_equal(
	    lmtp_server_parse(strv_from(name, sizeof(name)), &s), QE_LIMIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lmtp_server_parse),
		TEST(test_lmtp_delivers),
		TEST(test_lmtp_refused),
		TEST(test_lmtp_deferred),
		TEST(test_lmtp_hostile),
		TEST(test_lmtp_addresses_and_sockets),
	};

	return RUN_TESTS(tests);
}
