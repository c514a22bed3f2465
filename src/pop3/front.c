/*
 * The process of qmail-popup that talks to the client: the commands before
 * the login (RFC 1939 section 4, RFC 2449, RFC 2595).
 *
 * Started as root, it becomes qmaild in an empty root directory.  It can start
 * no program and open no file, and makes few system calls; the keeper is asked
 * for everything that needs rights.  It never reads a byte behind the line of
 * the login, which belongs to the mail server that the checker becomes.
 */
#include "pop3/front.h"
#include "base/account.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/sandbox.h"
#include "base/secret.h"
#include "pop3/link.h"

#include <sys/syscall.h>
#include <unistd.h>

void
front_end(struct popup *p)
{
	pop3_flush(&p->conn);
	pop3_conn_free(&p->conn);
	_exit(POPUP_END);
}

void
front_fail(struct popup *p, const char *text)
{
	pop3_err(&p->conn, text);
	front_end(p);
}

static void
front_user(struct popup *p, struct strv argument)
{
	struct strv name = strv_trim_blanks(argument);

	buf_reset(&p->user);
	if ((popup_mechanisms(p) & (SASL_LOGIN | SASL_PLAIN)) == 0) {
		pop3_junk(&p->conn, "no clear passwords here");
	} else if (name.len == 0) {
		pop3_junk(&p->conn, "syntax error");
	} else {
		buf_add_view(&p->user, name);
		pop3_ok(&p->conn, "");
	}
}

static void
front_capa(struct popup *p, struct strv argument)
{
	struct buf names = BUF_INIT;
	struct pop3_capa what = popup_capa(p, &names);

	(void)argument;
	pop3_capa(&p->conn, &what);
	buf_free(&names);
}

/* Nothing that was said in clear counts behind the handshake. */
static void
front_begin_tls(struct popup *p)
{
	struct pop3_conn *c = &p->conn;
	struct buf request = BUF_LIMIT(LINK_MAX);
	int64_t deadline = clock_deadline(UCSPI_TLS_SECONDS);

	if (ucspi_tls_start(&p->tls, STRV(""), &c->in, &c->out,
		deadline < c->end_ms ? deadline : c->end_ms) != 0)
		front_end(p);
	buf_reset(&c->line);
	buf_reset(&p->user);
	link_encode_tls(&request, &p->tls.facts);
	if (request.err != 0 || link_send(p->link, buf_view(&request)) != 0)
		front_end(p);
	buf_free(&request);
}

static void
front_stls(struct popup *p, struct strv argument)
{
	if (strv_trim_blanks(argument).len > 0) {
		pop3_junk(&p->conn, "syntax error");
	} else if (!ucspi_tls_may_start(&p->tls)) {
		pop3_junk(&p->conn, ucspi_tls_is_on(&p->tls)
					? "TLS is on already"
					: "no TLS here");
	} else {
		pop3_ok(&p->conn, "begin TLS negotiation");
		if (pop3_flush(&p->conn) != 0)
			front_end(p);
		front_begin_tls(p);
	}
}

static void
front_noop(struct popup *p, struct strv argument)
{
	(void)argument;
	pop3_ok(&p->conn, "");
}

static void
front_quit(struct popup *p, struct strv argument)
{
	(void)argument;
	pop3_ok(&p->conn, "");
	front_end(p);
}

static const struct front_verb {
	const char *name;
	bool is_login; /* not before a TLS that is required */
	void (*run)(struct popup *p, struct strv argument);
} front_verbs[] = {
	{"USER",  true,  front_user},
	{ "PASS", true,  front_pass},
	{ "APOP", true,  front_apop},
	{ "AUTH", true,  front_auth},
	{ "CAPA", false, front_capa},
	{ "STLS", false, front_stls},
	{ "NOOP", false, front_noop},
	{ "QUIT", false, front_quit},
};

static void
front_command(struct popup *p, const struct pop3_command *command)
{
	const struct front_verb *v = front_verbs;
	const struct front_verb *end =
	    v + sizeof(front_verbs) / sizeof(*front_verbs);

	while (v < end && !strv_eq_nocase(command->verb, strv_of(v->name)))
		v++;
	if (v == end)
		pop3_junk(&p->conn, "authorization first");
	else if (v->is_login && ucspi_tls_is_required(&p->tls))
		pop3_junk(&p->conn, "STLS first");
	else
		v->run(p, command->argument);
}

/*
 * Others begin the stamp with their process id, which can be known before; a
 * digest over such a stamp, got from the client elsewhere, would open its box.
 */
static void
front_greet(struct popup *p)
{
	uint64_t random;

	if (secret_random(&random, sizeof(random)) != 0)
		front_fail(p, "[SYS/TEMP] no random bytes");
	buf_addf(&p->stamp, "<%llu.%lld@%s>", (unsigned long long)random >> 1,
	    (long long)clock_wall(), p->host);
	if (buf_cstr(&p->stamp) == NULL)
		front_fail(p, "out of memory");
	pop3_ok(&p->conn, buf_cstr(&p->stamp));
}

static const struct sandbox_limit front_limits[] = {
	{RLIMIT_CORE,   0},
	{ RLIMIT_NPROC, 0},
};

/* pipe2 and tee look ahead in a pipe, dup2 and dup3 are TLS. */
static const int front_calls[] = {
	SYS_pipe2,
	SYS_tee,
	SYS_dup3,
#ifdef SYS_dup2
	SYS_dup2,
#endif
	SYS_mprotect,
};

static int
front_become_nobody(const struct popup *p)
{
	uid_t uid;
	gid_t gid;
	int r;

	if (geteuid() != 0)
		return 0;
	r = account_ids_from_file(
	    "/etc/passwd", role_user(ROLE_DAEMON), &uid, &gid);
	if (r != 0)
		return r;
	if (fchdir(p->jail) < 0 || chroot(".") < 0)
		return QE_SYS;
	return account_become(uid, gid, NULL, 0);
}

/*
 * What is left: the client, the keeper, the log, the TLS process.  A kernel
 * without filters of calls is no reason to serve nobody.
 */
static void
front_drop_rights(struct popup *p)
{
	int r = front_become_nobody(p);
	int filter;

	io_close(&p->jail);
	if (r == 0)
		r = sandbox_limit(
		    front_limits, sizeof(front_limits) / sizeof(*front_limits));
	if (r == 0) {
		filter = sandbox_calls_more(
		    front_calls, sizeof(front_calls) / sizeof(*front_calls));
		r = filter == QE_ABSENT ? 0 : filter;
	}
	if (r == 0)
		return;
	trace_event(&p->conn.trace, "ERROR: unable to become %s: %s",
	    role_user(ROLE_DAEMON), error_result_text(r));
	front_fail(p, "[SYS/TEMP] unable to give up rights");
}

void
front_run(struct popup *p)
{
	struct pop3_command command;

	/* Holds even against a full socket, which has to stay as it is: the
	 * next program may not know what to do with one that never waits. */
	alarm(POPUP_SESSION_MAX + 1);
	front_drop_rights(p);
	if (p->tls.state == TLS_IMPLICIT)
		front_begin_tls(p);
	front_greet(p);
	while (pop3_next(&p->conn, &command) == 0)
		front_command(p, &command);
	front_end(p);
}
