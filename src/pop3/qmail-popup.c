/*
 * qmail-popup hostname subprogram [arg ...]: the POP3 server before the login
 * (RFC 1939 section 4, RFC 2449).
 *
 * Runs as root under tcpserver or behind qmail-tls, as checkpassword needs
 * it.  Holds no password database: name and secret go to the subprogram on
 * its descriptor 3.  They are never logged and are wiped after use.  Reads
 * nothing but control/pop3maxsession, and never a byte behind the line of
 * the login, which belongs to the mail server that the subprogram runs.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "base/spawn.h"
#include "conf/control.h"
#include "pop3/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	POPUP_SESSION_MAX = 1200, /* seconds from greeting to login */
	POPUP_SECRET_MAX = 512,   /* bytes that descriptor 3 may carry */
	POPUP_STAMP_MAX = 300,    /* bytes of the greeting's stamp */
	POPUP_OUT_SIZE = 2048,
	POPUP_END = 1 /* the exit code of every end but one */
};

struct popup {
	struct pop3_conn conn;
	struct buf user;
	struct buf stamp; /* "<pid.time@host>" */
	char *const *subprogram;
};

static _Noreturn void
popup_end(struct popup *p, const char *text)
{
	if (text != NULL)
		pop3_err(&p->conn, text);
	pop3_flush(&p->conn);
	pop3_conn_free(&p->conn);
	_exit(POPUP_END);
}

/*
 * A pipe that holds "user\0a\0b\0" and its end; the largest is far below
 * what every pipe takes at once, so nobody need read yet.
 */
static int
popup_secret_pipe(struct popup *p, struct strv a, struct strv b)
{
	struct buf secret = BUF_LIMIT(POPUP_SECRET_MAX);
	int fds[2], r;

	buf_reserve(&secret, POPUP_SECRET_MAX);
	buf_add_view(&secret, buf_view(&p->user));
	buf_add_char(&secret, '\0');
	buf_add_view(&secret, a);
	buf_add_char(&secret, '\0');
	buf_add_view(&secret, b);
	buf_add_char(&secret, '\0');
	if (secret.err != 0) {
		buf_free_secret(&secret);
		popup_end(p, "[AUTH] authorization failed");
	}
	if (io_pipe(fds) != 0)
		popup_end(p, "[SYS/TEMP] unable to open pipe");
	r = io_write_all(fds[1], secret.data, secret.len);
	buf_free_secret(&secret);
	if (r != 0)
		popup_end(p, "[SYS/TEMP] unable to write pipe");
	io_close(&fds[1]);
	return fds[0];
}

static _Noreturn void
popup_report(struct popup *p, int status)
{
	int code = spawn_exit_code(status);

	if (code == 0)
		_exit(POPUP_END);
	if (code < 0)
		popup_end(p, "[SYS/TEMP] aack, child crashed");
	if (code == 2 || code == EX_TEMPORARY)
		popup_end(p, "[SYS/TEMP] authorization failed for now");
	popup_end(p, "[AUTH] authorization failed");
}

/* Runs the subprogram, which is the whole rest of the session. */
static _Noreturn void
popup_login(struct popup *p, const char *sasl, struct strv a, struct strv b)
{
	struct spawn s = {
		.path = p->subprogram[0],
		.argv = p->subprogram,
		.fds = {0, 1, 2, popup_secret_pipe(p, a, b)},
		.fd_count = 4
	};
	int status;
	pid_t pid;

	pop3_conn_free(&p->conn);
	if (env_set("SASL", sasl) != 0)
		popup_end(p, "[SYS/TEMP] out of memory");
	alarm(0);
	/* What was inherited beyond the standard three ends here. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	if (spawn_program(&s, &pid) != 0)
		popup_end(p, "[SYS/TEMP] unable to fork");
	io_close(&s.fds[3]);
	if (spawn_wait(pid, &status) != 0)
		popup_end(p, "[SYS/TEMP] aack, child crashed");
	popup_report(p, status);
}

static void
popup_user(struct popup *p, struct strv argument)
{
	struct strv name = strv_trim_blanks(argument);

	if (name.len == 0) {
		pop3_junk(&p->conn, "syntax error");
		return;
	}
	buf_reset(&p->user);
	buf_add_view(&p->user, name);
	pop3_ok(&p->conn, "");
}

static void
popup_pass(struct popup *p, struct strv argument)
{
	if (p->user.len == 0)
		pop3_junk(&p->conn, "USER first");
	else if (argument.len == 0)
		pop3_junk(&p->conn, "syntax error");
	else
		popup_login(p, "plain", argument, STRV_EMPTY);
}

static void
popup_apop(struct popup *p, struct strv argument)
{
	struct strv digest = strv_trim_blanks(argument);
	struct strv name = strv_cut(&digest, ' ', NULL);

	digest = strv_trim_blanks(digest);
	if (name.len == 0 || digest.len == 0) {
		pop3_junk(&p->conn, "syntax error");
		return;
	}
	buf_reset(&p->user);
	buf_add_view(&p->user, name);
	popup_login(p, "apop", digest, buf_view(&p->stamp));
}

static void
popup_capa(struct popup *p, struct strv argument)
{
	(void)argument;
	pop3_capa(&p->conn);
}

static void
popup_noop(struct popup *p, struct strv argument)
{
	(void)argument;
	pop3_ok(&p->conn, "");
}

static void
popup_quit(struct popup *p, struct strv argument)
{
	(void)argument;
	pop3_ok(&p->conn, "");
	popup_end(p, NULL);
}

static const struct popup_verb {
	const char *name;
	void (*run)(struct popup *p, struct strv argument);
} popup_verbs[] = {
	{"USER",  popup_user},
	{ "PASS", popup_pass},
	{ "APOP", popup_apop},
	{ "CAPA", popup_capa},
	{ "NOOP", popup_noop},
	{ "QUIT", popup_quit},
};

static void
popup_run(struct popup *p, const struct pop3_command *command)
{
	for (size_t i = 0; i < sizeof popup_verbs / sizeof *popup_verbs; i++)
		if (strv_eq_nocase(
			command->verb, strv_of(popup_verbs[i].name))) {
			popup_verbs[i].run(p, command->argument);
			return;
		}
	pop3_junk(&p->conn, "authorization first");
}

/*
 * How long the session may last is told to the mail server by the
 * environment: it runs as the user, far from the home.  The working directory
 * stays what it was, as the subprogram's path may be relative.
 */
static void
popup_configure(struct popup *p)
{
	struct buf text = BUF_LIMIT(32);
	struct control_error err;
	int64_t seconds = POP3_SESSION_MAX;
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (here >= 0 && chdir(program_home()) == 0) {
		r = control_int(CTL_POP3MAXSESSION, &seconds, &err);
		if (r != 0)
			warn("%s", err.text);
		if (fchdir(here) != 0)
			r = QE_SYS;
	}
	io_close(&here);
	buf_add_u64(&text, (uint64_t)seconds);
	if (r != 0 || env_set("POP3MAXSESSION", buf_cstr(&text)) != 0)
		popup_end(p, "[SYS/TEMP] unable to read controls");
	buf_free(&text);
}

static void
popup_greet(struct popup *p, const char *hostname)
{
	buf_addf(&p->stamp, "<%ld.%lld@%s>", (long)getpid(),
	    (long long)clock_wall(), hostname);
	if (buf_cstr(&p->stamp) == NULL)
		popup_end(p, "out of memory");
	pop3_ok(&p->conn, buf_cstr(&p->stamp));
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "qmail-popup",
		.flags = PROGRAM_FD0 | PROGRAM_FD1,
		.umask = 077,
	};
	char in[POP3_LINE_MAX], out[POPUP_OUT_SIZE];
	struct popup popup = { .user = BUF_LIMIT(POPUP_SECRET_MAX),
		.stamp = BUF_LIMIT(POPUP_STAMP_MAX),
		.subprogram = argv + 2 };
	struct pop3_command command;

	program_begin(&program);
	alarm(POPUP_SESSION_MAX + 1); /* holds even against a full socket */
	pop3_conn_init(
	    &popup.conn, in, sizeof in, out, sizeof out, POPUP_SESSION_MAX);
	popup.conn.in.by_line = true;
	if (argc < 3)
		popup_end(&popup, "usage: popup hostname subprogram");
	popup_configure(&popup);
	popup_greet(&popup, argv[1]);
	while (pop3_next(&popup.conn, &command) == 0)
		popup_run(&popup, &command);
	popup_end(&popup, NULL);
}
