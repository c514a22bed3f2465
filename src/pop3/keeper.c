/*
 * The process of qmail-popup that keeps the rights: runs a checker for each
 * login that the front asks for, notes who has logged in, and waits for the
 * end of the server that the checker has become.
 *
 * Reads nothing of the client's, but what the front has made of it.  Ends
 * when the front has ended, or the server.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/program.h"
#include "base/spawn.h"
#include "conf/control.h"
#include "conf/norelay.h"
#include "conf/opensmtp.h"
#include "pop3/link.h"
#include "pop3/note.h"
#include "pop3/popup.h"
#include "smtp/sasl_check.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	KEEPER_LOGINS_MAX = POPUP_FAILURES_MAX, /* whatever the front says */
	KEEPER_WORD_SECONDS = 60, /* to tell the client of a crash */
	KEEPER_FRONT_MS = 5000,   /* for a front to see its end itself */
	KEEPER_GRACE_MS = 1000,   /* from the last descriptor to the end */
	KEEPER_LOOK_MS = 5
};

struct keeper {
	struct popup *popup;
	unsigned logins;
	bool has_killed;
	struct buf datagram; /* what the front asks; may hold a password */
	struct buf program;  /* $SASL of the present login */
	struct buf user;     /* and whose it is */
};

static const char *
keeper_peer(void)
{
	const char *ip = env_get("TCPREMOTEIP");

	return ip == NULL || *ip == '\0' ? "unknown" : ip;
}

/*
 * A front that has been taken over ends with us, and so does whatever a checker
 * that was killed has left behind.
 */
static _Noreturn void
keeper_end(const struct keeper *k)
{
	if (k->popup->front > 0)
		kill(k->popup->front, SIGKILL);
	if (k->has_killed)
		kill(0, SIGKILL);
	_exit(POPUP_END);
}

static void
keeper_answer(const struct keeper *k, enum link_answer answer)
{
	char byte = (char)answer;

	if (link_send(k->popup->link, strv_from(&byte, 1)) != 0)
		keeper_end(k);
}

/* The address comes first: a name can hold anything. */
static void
keeper_log(const struct keeper *k, const char *tag, const char *outcome)
{
	trace_event(&k->popup->conn.trace, "%s: %s %s%s%s <" STRV_FMT ">", tag,
	    keeper_peer(), k->program.data,
	    ucspi_tls_is_on(&k->popup->tls) ? " tls" : "", outcome,
	    STRV_ARG(buf_view(&k->user)));
}

/* Nobody relays by fetching who may not by SMTP; in doubt, neither. */
static bool
keeper_may_relay(const struct keeper *k)
{
	struct control_error err;
	int r = norelay_find(buf_view(&k->user), &err);

	if (r != 0 && r != QE_ABSENT)
		warn("login of %s is not noted: %s", keeper_peer(), err.text);
	return r == QE_ABSENT;
}

static void
keeper_touch(struct strv directory)
{
	int r = opensmtp_touch(directory, strv_of(env_get("TCPREMOTEIP")));

	if (r != 0)
		warn("unable to note a login of %s in " STRV_FMT ": %s",
		    keeper_peer(), STRV_ARG(directory), error_result_text(r));
}

/* control/opensmtp: this client may relay for a while. */
static void
keeper_open_smtp(const struct keeper *k)
{
	struct buf directory = BUF_LIMIT(PATH_MAX);
	struct control_error err;
	int r;

	if (!k->popup->settings.opensmtp)
		return;
	if (chdir(program_home()) < 0 ||
	    (r = control_line(CTL_OPENSMTP, &directory, &err)) == QE_SYS)
		warn("unable to read control/opensmtp: %s", error_text(errno));
	else if (r != 0)
		warn("%s", err.text);
	else if (directory.len > 0 && keeper_may_relay(k))
		keeper_touch(buf_view(&directory));
	buf_free(&directory);
}

/*
 * Has a program that was started as root given that up?  Then it may be a
 * server that says nothing to us, or a checker that looks for the password
 * with no more rights than it needs: no proof of anything while it runs.
 */
static bool
keeper_has_become_user(pid_t pid)
{
	char path[32], line[128];
	unsigned uid = 0;
	FILE *status;

	if (geteuid() != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	status = fopen(path, "re");
	if (status == NULL)
		return false;
	while (fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "Uid: %u", &uid) == 1)
			break;
	fclose(status);
	return uid != 0;
}

/*
 * Ended as no checker does that refuses, fails or is killed: as a server that
 * is no longer root may.
 */
static bool
keeper_is_end_of_server(int code)
{
	return code >= 0 && code != 1 && code != 2 && code != EX_TEMPORARY;
}

/* Without its descriptor it may be a server; but mostly, it is ending. */
static bool
keeper_lives_on(pid_t pid)
{
	int64_t end = clock_mono_ms() + KEEPER_GRACE_MS;
	int r;

	while ((r = spawn_has_ended(pid)) == 0 && clock_mono_ms() < end)
		clock_sleep_ms(KEEPER_LOOK_MS);
	return r == 0;
}

/* The front has nothing more to say, or to read. */
static void
keeper_accept(const struct keeper *k)
{
	int status;

	kill(k->popup->front, SIGKILL);
	if (spawn_wait(k->popup->front, &status) != 0)
		warn("unable to wait for the front: %s", error_text(errno));
	k->popup->front = -1;
	keeper_log(k, "LOGIN", "");
}

static void
keeper_say(const struct keeper *k, const char *line)
{
	struct sink out = k->popup->conn.out;

	io_set_nonblocking(1, true);
	out.timeout_ms = KEEPER_WORD_SECONDS * INT64_C(1000);
	out.end_ms = 0;
	sink_put_str(&out, line);
	sink_flush(&out);
	io_set_nonblocking(1, false);
}

/*
 * The rest of the session is the server's, unless the checker could not run
 * it, which only one that has not spoken to us can be in doubt about.  The end
 * of such a one is the first proof that the password was right.
 */
static _Noreturn void
keeper_wait_for_server(const struct keeper *k, pid_t pid, bool has_spoken)
{
	int status;

	if (spawn_wait(pid, &status) != 0)
		keeper_end(k);
	if (!has_spoken && keeper_is_end_of_server(spawn_exit_code(status)))
		keeper_open_smtp(k);
	if (spawn_exit_code(status) < 0)
		keeper_say(k, "-ERR [SYS/TEMP] aack, child crashed\r\n");
	else if (!has_spoken && spawn_exit_code(status) == EX_TEMPORARY)
		keeper_say(
		    k, "-ERR [SYS/TEMP] authorization failed for now\r\n");
	keeper_end(k);
}

/* The checker has ended by itself, or is ended now. */
static enum link_answer
keeper_judge(struct keeper *k, struct sasl_checker *how, struct sasl_check *c)
{
	bool as_user = keeper_has_become_user(c->pid);
	int code;
	enum sasl_result r = sasl_check_wait(how, c, &code);

	if (r == SASL_DONE || (as_user && keeper_is_end_of_server(code))) {
		keeper_accept(k);
		keeper_open_smtp(k);
		keeper_end(k);
	}
	keeper_log(k, "AUTHFAILED",
	    r == SASL_REFUSED ? " refused" : " temporary failure");
	if (r == SASL_REFUSED)
		return LINK_REFUSED;
	warn("checker %s: %s", how->argv[0], how->trouble);
	if (clock_mono_ms() >= how->deadline_ms)
		k->has_killed = true;
	return code < 0 && !k->has_killed && c->start_error == 0
		   ? LINK_CRASHED
		   : LINK_TEMPORARY;
}

/* Waits until the checker has ended, or become a server. */
static enum link_answer
keeper_watch(
    struct keeper *k, struct sasl_checker *how, struct sasl_check *c, int note)
{
	int r = note_wait(note, how->deadline_ms);

	if (r == 0 || ((r == QE_TIMEOUT || keeper_lives_on(c->pid)) &&
			  keeper_has_become_user(c->pid))) {
		keeper_accept(k);
		if (r == 0)
			keeper_open_smtp(k);
		note_answer(note);
		io_close(&note);
		keeper_wait_for_server(k, c->pid, r == 0);
	}
	io_close(&note);
	return keeper_judge(k, how, c);
}

/* x is wiped as soon as the checker has it. */
static enum link_answer
keeper_check(struct keeper *k, struct sasl *x)
{
	struct sasl_checker how = {
		.argv = k->popup->subprogram,
		.fds = {0, 1, 2},
		.passes_on = true,
		.deadline_ms =
		    clock_deadline(k->popup->settings.checker_seconds)
	};
	struct sasl_check c;
	int note[2];
	int r = note_open(note, k->popup->settings.opensmtp);

	if (r == 0) {
		r = sasl_check_start(x, &how, &c);
		io_close(&note[1]);
		if (r != 0)
			io_close(&note[0]);
	}
	sasl_free(x);
	if (r == QE_LIMIT)
		return LINK_REFUSED; /* more than descriptor 3 may hold */
	if (r != 0) {
		warn("unable to run %s: %s", how.argv[0], error_result_text(r));
		return LINK_TEMPORARY;
	}
	sasl_check_end(&c);
	return keeper_watch(k, &how, &c, note[0]);
}

static int
keeper_login(struct keeper *k, const struct link_request *request)
{
	struct sasl x;

	if (k->logins++ >= KEEPER_LOGINS_MAX)
		return QE_LIMIT;
	sasl_init(&x, "pop", STRV_EMPTY);
	buf_reset(&k->program);
	buf_add_view(&k->program, request->program);
	x.program = buf_cstr(&k->program);
	buf_reset(&k->user);
	buf_add_view(&k->user, request->user);
	buf_add_view(&x.user, request->user);
	buf_add_view(&x.a, request->a);
	buf_add_view(&x.b, request->b);
	buf_add_view(&x.facts, request->private_file);
	explicit_bzero(k->datagram.data, k->datagram.len);
	if (x.program == NULL || k->user.err != 0 || x.user.err != 0 ||
	    x.a.err != 0 || x.b.err != 0 || x.facts.err != 0) {
		sasl_free(&x);
		return QE_NOMEM;
	}
	keeper_answer(k, keeper_check(k, &x));
	return 0;
}

/* The server is to speak through the TLS process, as the front does. */
static int
keeper_adopt_tls(struct popup *p, const struct tls_facts *facts)
{
	if (!ucspi_tls_may_start(&p->tls) && p->tls.state != TLS_IMPLICIT)
		return QE_SYNTAX;
	if (dup2(p->tls.read_fd, 0) < 0 || dup2(p->tls.write_fd, 1) < 0)
		return QE_SYS;
	io_close(&p->tls.control_fd);
	io_close(&p->tls.read_fd);
	io_close(&p->tls.write_fd);
	p->tls.state = TLS_ON;
	p->tls.facts = *facts;
	if (popup_tell_capa(p) != 0)
		return QE_NOMEM;
	return tls_facts_to_environment(facts);
}

static int
keeper_serve(struct keeper *k)
{
	struct link_request request;
	int r = io_wait(
	    k->popup->link, POLLIN, k->popup->conn.end_ms + KEEPER_FRONT_MS);

	if (r == 0)
		r = link_receive(k->popup->link, &k->datagram);
	if (r == 0)
		r = link_decode(buf_view(&k->datagram), &request);
	if (r != 0)
		return r;
	switch (request.kind) {
	case LINK_TLS:
		return keeper_adopt_tls(k->popup, &request.facts);
	case LINK_LOGIN:
		return keeper_login(k, &request);
	}
	return QE_SYNTAX;
}

void
keeper_run(struct popup *p)
{
	struct keeper k = { .popup = p,
		.datagram = BUF_LIMIT(LINK_MAX),
		.program = BUF_LIMIT(64),
		.user = BUF_LIMIT(SASL_USER_MAX) };
	int r;

	/* A group of our own, to be ended as one. */
	setpgid(0, 0);
	do
		r = keeper_serve(&k);
	while (r == 0);
	if (r == QE_TIMEOUT)
		warn("the front did not end by itself");
	else if (r != QE_EOF)
		warn("the front sent nonsense: %s", error_result_text(r));
	keeper_end(&k);
}
