/*
 * qmail-pop3d maildir: the POP3 server behind the login (RFC 1939, and LAST
 * of RFC 1460).
 *
 * Runs as the user, never as root, with the client on descriptors 0 and 1.
 * Reads and changes nothing but the Maildir, and changes that only at QUIT.
 */
#include "base/clock.h"
#include "base/env.h"
#include "base/error.h"
#include "base/log.h"
#include "base/program.h"
#include "pop3/conn.h"
#include "pop3/maildrop.h"
#include "pop3/note.h"
#include "pop3/retrieve.h"
#include "smtp/sasl_check.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	POP3D_IN_SIZE = 4096,
	POP3D_SESSION_LEAST = 60,
	POP3D_SESSION_MOST = 864000,
	POP3D_NUMBER_MAX = 48 /* bytes of two numbers in text */
};

struct pop3d {
	struct pop3_conn conn;
	struct maildrop box;
	size_t last; /* highest number retrieved or deleted, from 1 */
	struct pop3_capa capa;
	bool finished;
};

/*
 * The message that an argument names.  False if there is none, which has then
 * been said.
 */
static bool
pop3d_message(struct pop3d *p, struct strv word, size_t *index)
{
	uint64_t number = UINT64_MAX;
	int r = strv_to_u64(word, UINT64_MAX, &number);

	if (r == QE_SYNTAX)
		pop3_junk(&p->conn, "syntax error");
	else if (r == 0 && number == 0)
		pop3_err(&p->conn, "messages are counted from 1");
	else if (r != 0 || number > p->box.count)
		pop3_err(&p->conn, "not that many messages");
	else if (p->box.messages[number - 1].is_deleted)
		pop3_err(&p->conn, "already deleted");
	else {
		*index = (size_t)number - 1;
		return true;
	}
	return false;
}

static int
pop3d_stat(struct pop3d *p, struct strv argument)
{
	char text[POP3D_NUMBER_MAX];

	(void)argument;
	snprintf(text, sizeof text, "%zu %llu", p->box.count,
	    (unsigned long long)p->box.bytes);
	pop3_ok(&p->conn, text);
	return 0;
}

/* "<n> <size>" or "<n> <unique name>" CR LF, put together in one place. */
static void
pop3d_put_entry(struct pop3d *p, size_t index, bool uid)
{
	char text[POP3D_NUMBER_MAX + NAME_MAX + sizeof "\r\n"];
	struct strv name = uid ? maildrop_uid(&p->box, index) : STRV_EMPTY;
	unsigned long long size = p->box.messages[index].size;
	size_t n;

	n = (size_t)(uid ? snprintf(text, POP3D_NUMBER_MAX, "%zu ", index + 1)
			 : snprintf(text, POP3D_NUMBER_MAX, "%zu %llu",
			       index + 1, size));
	for (size_t i = 0; i < name.len && i < NAME_MAX; i++) {
		bool plain = name.ptr[i] > ' ' && name.ptr[i] <= '~';

		text[n++] = plain ? name.ptr[i] : '_';
	}
	text[n++] = '\r';
	text[n++] = '\n';
	sink_put(&p->conn.out, text, n);
}

static int
pop3d_put_entries(struct pop3d *p, struct strv argument, bool uid)
{
	size_t index;

	argument = strv_trim_blanks(argument);
	if (argument.len != 0) {
		if (!pop3d_message(p, argument, &index))
			return 0;
		sink_put_str(&p->conn.out, "+OK ");
		pop3d_put_entry(p, index, uid);
		return 0;
	}
	pop3_ok(&p->conn, "");
	for (size_t i = 0; i < p->box.count; i++)
		if (!p->box.messages[i].is_deleted)
			pop3d_put_entry(p, i, uid);
	sink_put_str(&p->conn.out, ".\r\n");
	return 0;
}

static int
pop3d_list(struct pop3d *p, struct strv argument)
{
	return pop3d_put_entries(p, argument, false);
}

static int
pop3d_uidl(struct pop3d *p, struct strv argument)
{
	return pop3d_put_entries(p, argument, true);
}

static int
pop3d_send(struct pop3d *p, size_t index, uint64_t body_lines, bool count)
{
	char text[POP3D_NUMBER_MAX];
	uint64_t size;
	int fd, r;

	if (maildrop_open_message(&p->box, index, &fd, &size) != 0) {
		pop3_err(&p->conn, "unable to open that message");
		return 0;
	}
	snprintf(text, sizeof text, "%llu octets", (unsigned long long)size);
	pop3_ok(&p->conn, count ? text : "");
	r = retrieve_send(&p->conn.out, fd, size, body_lines);
	io_close(&fd);
	return r;
}

/* "n", or "n lines": RETR takes the second number as TOP does. */
static int
pop3d_retrieve(struct pop3d *p, struct strv argument, bool is_retr)
{
	uint64_t body_lines = RETRIEVE_ALL;
	struct strv word;
	size_t index;

	argument = strv_trim_blanks(argument);
	word = strv_cut(&argument, ' ', NULL);
	argument = strv_trim_blanks(argument);
	if (!pop3d_message(p, word, &index))
		return 0;
	if (argument.len != 0 &&
	    strv_to_u64(argument, UINT64_MAX, &body_lines) == QE_SYNTAX) {
		pop3_junk(&p->conn, "syntax error");
		return 0;
	}
	if (is_retr && index + 1 > p->last)
		p->last = index + 1;
	return pop3d_send(
	    p, index, body_lines, is_retr && body_lines == RETRIEVE_ALL);
}

static int
pop3d_retr(struct pop3d *p, struct strv argument)
{
	return pop3d_retrieve(p, argument, true);
}

static int
pop3d_top(struct pop3d *p, struct strv argument)
{
	return pop3d_retrieve(p, argument, false);
}

static int
pop3d_dele(struct pop3d *p, struct strv argument)
{
	size_t index;

	if (!pop3d_message(p, strv_trim_blanks(argument), &index))
		return 0;
	maildrop_delete(&p->box, index);
	if (index + 1 > p->last)
		p->last = index + 1;
	pop3_ok(&p->conn, "");
	return 0;
}

static int
pop3d_last(struct pop3d *p, struct strv argument)
{
	char text[POP3D_NUMBER_MAX];

	(void)argument;
	snprintf(text, sizeof text, "%zu", p->last);
	pop3_ok(&p->conn, text);
	return 0;
}

static int
pop3d_rset(struct pop3d *p, struct strv argument)
{
	(void)argument;
	maildrop_undelete_all(&p->box);
	p->last = 0;
	pop3_ok(&p->conn, "");
	return 0;
}

static int
pop3d_noop(struct pop3d *p, struct strv argument)
{
	(void)argument;
	pop3_ok(&p->conn, "");
	return 0;
}

static int
pop3d_capa(struct pop3d *p, struct strv argument)
{
	(void)argument;
	pop3_capa(&p->conn, &p->capa);
	return 0;
}

/*
 * Mail that a pipelining client asked for just before leaves first: nothing
 * is deleted for a client that has gone away.
 */
static int
pop3d_quit(struct pop3d *p, struct strv argument)
{
	int r = pop3_flush(&p->conn);

	(void)argument;
	if (r != 0)
		return r;
	if (!maildrop_commit(&p->box))
		pop3_err(&p->conn, "unable to unlink all deleted messages");
	pop3_ok(&p->conn, "");
	p->finished = true;
	return pop3_flush(&p->conn);
}

static const struct pop3d_verb {
	const char *name;
	/* 0, or negative to end the session */
	int (*run)(struct pop3d *p, struct strv argument);
} pop3d_verbs[] = {
	{"RETR",  pop3d_retr},
	{ "DELE", pop3d_dele},
	{ "STAT", pop3d_stat},
	{ "LIST", pop3d_list},
	{ "UIDL", pop3d_uidl},
	{ "TOP",  pop3d_top },
	{ "NOOP", pop3d_noop},
	{ "RSET", pop3d_rset},
	{ "LAST", pop3d_last},
	{ "CAPA", pop3d_capa},
	{ "QUIT", pop3d_quit},
};

static int
pop3d_run(struct pop3d *p, const struct pop3_command *command)
{
	for (size_t i = 0; i < sizeof pop3d_verbs / sizeof *pop3d_verbs; i++)
		if (strv_eq_nocase(command->verb, strv_of(pop3d_verbs[i].name)))
			return pop3d_verbs[i].run(p, command->argument);
	pop3_junk(&p->conn, "unimplemented");
	return 0;
}

/* qmail-popup has read it from a control file; nonsense is not obeyed. */
static int64_t
pop3d_seconds(
    const char *variable, uint64_t least, uint64_t most, int64_t otherwise)
{
	uint64_t seconds;

	if (strv_to_u64(strv_of(env_get(variable)), most, &seconds) != 0 ||
	    seconds < least)
		return otherwise;
	return (int64_t)seconds;
}

/* What qmail-popup would say now: "us PLAIN", see pop3/popup.h. */
static struct pop3_capa
pop3d_read_capa(void)
{
	struct strv names = strv_of(env_get("POP3CAPA"));
	struct strv flags = strv_cut(&names, ' ', NULL);

	return (struct pop3_capa){ .mechanisms = names,
		.user = strv_find(flags, 'u') != STRV_NPOS,
		.stls = strv_find(flags, 's') != STRV_NPOS };
}

static void
pop3d_configure(struct pop3d *p)
{
	pop3_conn_set_idle(
	    &p->conn, pop3d_seconds("POP3TIMEOUT", POP3_IDLE_LEAST,
			  POP3_IDLE_MOST, POP3_IDLE));
	trace_from_environment(&p->conn.trace);
	p->capa = pop3d_read_capa();
}

/*
 * Mutual authentication: the last challenge proves us to the client, who has
 * nothing to say to it.  False ends the session.
 */
static bool
pop3d_finish_login(struct pop3d *p)
{
	struct buf challenge = BUF_LIMIT(SASL_CHALLENGE_MAX);
	enum sasl_result result = sasl_check_inherited(&challenge);

	if (result == SASL_CONTINUE) {
		pop3_challenge(&p->conn, buf_view(&challenge));
		buf_reset(&challenge);
		if (pop3_next_response(&p->conn, &challenge) != 0)
			result = SASL_MALFORMED;
		else
			result =
			    challenge.len == 0 ||
				    strv_eq(buf_view(&challenge), STRV("="))
				? SASL_DONE
				: SASL_MALFORMED;
	}
	buf_free(&challenge);
	if (result == SASL_DONE)
		return true;
	pop3_err(&p->conn, result == SASL_FAILED
			       ? "[SYS/TEMP] authorization failed for now"
			       : "authorization cancelled");
	pop3_flush(&p->conn);
	return false;
}

/*
 * Writes must neither wait for a client without end, nor for the delayed
 * acknowledgement of a reply before.
 */
static void
pop3d_prepare_output(void)
{
	int on = 1;

	io_set_nonblocking(1, true);
	setsockopt(1, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void
pop3d_open(struct pop3d *p, const char *dir)
{
	int r = QE_ABSENT;

	if (dir != NULL)
		r = maildrop_open(dir, clock_wall(), &p->box);
	if (r == 0) {
		pop3_ok(&p->conn, "");
		return;
	}
	pop3_err(&p->conn, r == QE_ABSENT  ? "this user has no $HOME/Maildir"
			   : r == QE_NOMEM ? "out of memory"
					   : "unable to scan $HOME/Maildir");
	p->finished = true;
	pop3_flush(&p->conn);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "qmail-pop3d",
		.flags = PROGRAM_FD0 | PROGRAM_FD1,
		.umask = 077,
	};
	char in[POP3D_IN_SIZE], out[POP3_OUT_SIZE];
	struct pop3d p = {
		.box = {.new_fd = -1, .cur_fd = -1}
	};
	struct pop3_command command;

	program_begin(&program);
	if (getuid() == 0 || geteuid() == 0) {
		static const char refusal[] =
		    "qmail-pop3d invoked as uid 0, terminating\n";

		io_write_all(2, refusal, sizeof refusal - 1);
		return 1;
	}
	pop3d_prepare_output();
	if (!note_login())
		return 0;
	pop3_conn_init(&p.conn, in, sizeof in, out, sizeof out,
	    pop3d_seconds("POP3MAXSESSION", POP3D_SESSION_LEAST,
		POP3D_SESSION_MOST, POP3_SESSION_MAX));
	pop3d_configure(&p);
	if (pop3d_finish_login(&p))
		pop3d_open(&p, argc > 1 ? argv[1] : NULL);
	else
		p.finished = true;
	while (!p.finished && pop3_next(&p.conn, &command) == 0)
		if (pop3d_run(&p, &command) != 0)
			break;
	io_set_nonblocking(1, false);
	maildrop_free(&p.box);
	pop3_conn_free(&p.conn);
	return 0;
}
