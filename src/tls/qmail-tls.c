/*
 * qmail-tls [options] program [arg ...]: puts TLS in front of a mail server
 * (UCSPI-TLS), under tcpserver.  Contains no TLS itself and is small, as it
 * runs for each connection, while few of them ask for TLS.
 *
 * Once per service, "qmail-tls -r tcpserver ..." starts qmail-tlsd as root,
 * which has key and OpenSSL, and becomes tcpserver.  For each connection
 * "qmail-tls program" hands socket and two socketpairs to it and becomes the
 * program: no process, and no memory but three descriptors, waits for a
 * STARTTLS that may never come, and key, initialised library and tables of
 * algorithms are there when it does (4 ms of CPU, against 0.5 for a
 * handshake).  qmail-smtpd hands them over itself, at STARTTLS, if there is no
 * "qmail-tls program" before it (smtp/ucspi_tls.h).  Without a qmail-tlsd of
 * the service this starts one for one connection.
 *
 * Runs as whoever runs tcpserver; reads nothing but the environment, and a
 * client's bytes never.  With -s or $SMTPS the handshake comes first.
 */
#include "base/account.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/options.h"
#include "base/program.h"
#include "base/spawn.h"
#include "smtp/tls_facts.h"
#include "smtp/tls_way.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	IMPLICIT_SECONDS = 180, /* for a handshake before the greeting */
	FD_CONTROL = 3,         /* what the program finds where */
	FD_READ = 4,
	FD_WRITE = 5,
	FD_ORDERS = 10 /* the lowest that -r uses: others have logs on 3-9 */
};

static const char usage[] =
    "qmail-tls [-rs] [-c certificate] [-n connections] [-t seconds] "
    "[-u uid] [-g gid] program [arg ...]";

struct front {
	bool resident, implicit;
	const char *certificate, *uses, *seconds; /* for qmail-tlsd, or NULL */
	uid_t uid;
	gid_t gid;
	bool set_uid, set_gid;
	char *const *program;
};

static uint64_t
number(const char *text)
{
	uint64_t n;

	if (strv_to_u64(strv_of(text), UINT32_MAX - 1, &n) != 0)
		die_usage(usage);
	return n;
}

static void
parse(struct front *f, int argc, char **argv)
{
	struct options o;
	int letter;

	options_init(&o, argc, argv, "rsc:n:t:u:g:");
	while ((letter = options_next(&o)) != -1) {
		switch (letter) {
		case 'r':
			f->resident = true;
			break;
		case 's':
			f->implicit = true;
			break;
		case 'c':
			f->certificate = o.arg;
			break;
		case 'n':
			f->uses = o.arg;
			break;
		case 't':
			f->seconds = o.arg;
			break;
		case 'u':
			f->uid = (uid_t)number(o.arg);
			f->set_uid = true;
			break;
		case 'g':
			f->gid = (gid_t)number(o.arg);
			f->set_gid = true;
			break;
		default:
			die_usage(usage);
		}
	}
	f->program = argv + o.index;
	if (*f->program == NULL || f->set_uid != f->set_gid ||
	    (f->resident && f->set_uid))
		die_usage(usage);
}

/* The program's rights, for good; before the first thing a client sends. */
static void
drop(const struct front *f)
{
	if (f->set_uid && account_become(f->uid, f->gid, &f->gid, 1) != 0)
		die_errno(EX_TEMPORARY, "unable to become uid %u gid %u",
		    (unsigned)f->uid, (unsigned)f->gid);
}

static _Noreturn void
become_program(const struct front *f)
{
	/* Ignored signals would stay ignored in what knows nothing of them. */
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	execvp(f->program[0], f->program);
	die_errno(EX_TEMPORARY, "unable to run %s", f->program[0]);
}

/* Its program and options; words has room for all of them and NULL. */
static void
list_words(const struct front *f, bool once, const char *words[10])
{
	size_t n = 0;

	words[n++] = "qmail-tlsd";
	if (once)
		words[n++] = "-1";
	if (f->certificate != NULL) {
		words[n++] = "-c";
		words[n++] = f->certificate;
	}
	if (f->uses != NULL) {
		words[n++] = "-n";
		words[n++] = f->uses;
	}
	if (f->seconds != NULL) {
		words[n++] = "-t";
		words[n++] = f->seconds;
	}
	words[n] = NULL;
}

/* With these two as its standard input and output. */
static pid_t
start_tlsd(const struct front *f, bool once, int in, int out)
{
	char path[4096];
	const char *words[10];
	struct spawn how = { .path = path };
	volatile int start_error = 0;
	pid_t pid;

	list_words(f, once, words);
	snprintf(path, sizeof(path), "%s/bin/qmail-tlsd", program_home());
	how.argv = spawn_argv(words);
	how.fds[0] = in;
	how.fds[1] = out;
	how.fds[2] = STDERR_FILENO;
	how.fd_count = 3;
	how.start_error = &start_error;
	if (how.argv == NULL)
		die_nomem();
	if (spawn_program(&how, &pid) != 0)
		die_errno(EX_TEMPORARY, "unable to fork");
	errno = start_error;
	if (errno != 0)
		die_errno(EX_TEMPORARY, "unable to run %s", path);
	return pid;
}

/* One for this connection alone; the way to it. */
static int
start_once(const struct front *f)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		die_errno(EX_TEMPORARY, "unable to make a socket");
	(void)start_tlsd(f, true, pair[1], SPAWN_FD_NULL);
	close(pair[1]);
	return pair[0];
}

/* Names a descriptor in the environment of what we become. */
static void
tell(const char *name, int fd)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", fd);
	if (env_set(name, text) != 0)
		die_nomem();
}

/* Out of the way of those below, and not closed by exec. */
static int
keep(int fd)
{
	int kept = fcntl(fd, F_DUPFD, FD_ORDERS);

	if (kept < 0)
		die_errno(EX_TEMPORARY, "unable to keep a descriptor");
	return kept;
}

/* Before the listener: it inherits the way to qmail-tlsd and passes it on. */
static _Noreturn void
run_service(const struct front *f)
{
	struct tls_way way;
	int orders, end, status = 0;
	char text[32];

	if (tls_way_make(program_home(), &way, &orders, &end) != 0)
		die_errno(EX_TEMPORARY,
		    "unable to make a socket in %s/run or /tmp",
		    program_home());
	/* It leaves a process behind and ends. */
	if (spawn_wait(start_tlsd(f, false, orders, end), &status) != 0 ||
	    status != 0)
		die(EX_TEMPORARY, "qmail-tlsd did not start");
	snprintf(text, sizeof(text), "%d:%d", keep(way.place), keep(way.life));
	if (env_set("QMAILTLS", text) != 0)
		die_nomem();
	become_program(f);
}

static void
place(int from, int to)
{
	if (dup2(from, to) < 0)
		die_errno(EX_TEMPORARY, "unable to place a descriptor");
}

/* Moves a descriptor out of the way of those we will place. */
static int
lift(int fd)
{
	int lifted = fcntl(fd, F_DUPFD_CLOEXEC, FD_ORDERS);

	if (lifted < 0)
		die_errno(EX_TEMPORARY, "unable to keep a descriptor");
	close(fd);
	return lifted;
}

/*
 * Hands the connection to qmail-tlsd, that of the service or our own (once).
 * True, and our ends of control and data, if it can speak TLS.
 */
static bool
order(const struct front *f, const struct tls_way *way, int once, int *control,
    int *data)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC;
	const char *peer = env_get("TCPREMOTEIP");
	struct tls_order o = { .mode = f->implicit ? ORDER_NOW : ORDER_WAIT,
		.net_in = STDIN_FILENO,
		.net_out = STDOUT_FILENO };
	int c[2], d[2], r;
	char answer = ORDER_NO;

	if (socketpair(AF_UNIX, type, 0, c) != 0 ||
	    socketpair(AF_UNIX, type, 0, d) != 0)
		die_errno(EX_TEMPORARY, "unable to make a socket");
	snprintf(o.peer, sizeof(o.peer), "%s", peer == NULL ? "" : peer);
	o.control = c[1];
	o.data = d[1];
	r = once >= 0 ? order_send(once, &o) : tls_way_send(way, &o);
	close(c[1]);
	close(d[1]);
	if (r == 0)
		r = io_wait(c[0], POLLIN, clock_deadline(TLS_WAY_SECONDS));
	if (r == 0 && io_read(c[0], &answer, 1) != 1)
		r = QE_EOF;
	if (r != 0)
		warn("no answer from qmail-tlsd: %s", error_result_text(r));
	*control = lift(c[0]);
	*data = lift(d[0]);
	return r == 0 && answer == ORDER_YES;
}

/* Before the greeting: the program is told, and gets no socket at all. */
static void
finish_implicit(int control, int data)
{
	struct tls_facts facts;
	int r =
	    tls_facts_read(control, clock_deadline(IMPLICIT_SECONDS), &facts);

	/* Why it failed is in the log already. */
	if (r != 0)
		_exit(EX_TEMPORARY);
	if (tls_facts_to_environment(&facts) != 0 || env_set("SMTPS", "1") != 0)
		die_nomem();
	env_unset("UCSPITLS");
	env_unset("SSLCTLFD");
	env_unset("SSLREADFD");
	env_unset("SSLWRITEFD");
	place(data, STDIN_FILENO);
	place(data, STDOUT_FILENO);
}

/* UCSPI-TLS: the program has the socket until it asks for the other. */
static void
offer(int control, int data)
{
	if (env_get("UCSPITLS") == NULL && env_set("UCSPITLS", "") != 0)
		die_nomem();
	place(control, FD_CONTROL);
	place(data, FD_READ);
	place(data, FD_WRITE);
	tell("SSLCTLFD", FD_CONTROL);
	tell("SSLREADFD", FD_READ);
	tell("SSLWRITEFD", FD_WRITE);
}

/* Nothing to offer.  What is required stays so, and cannot be met. */
static void
offer_nothing(const struct front *f)
{
	const char *wish = env_get("UCSPITLS");

	if (f->implicit)
		die(EX_TEMPORARY,
		    "no TLS for this client: there is no certificate that can "
		    "be used, see qmail-tls(8)");
	if (wish != NULL && *wish != '!')
		env_unset("UCSPITLS");
	env_unset("SSLCTLFD");
	env_unset("SSLREADFD");
	env_unset("SSLWRITEFD");
}

static _Noreturn void
run_connection(const struct front *f)
{
	const char *wish = env_get("UCSPITLS");
	bool unwanted = !f->implicit && wish != NULL && *wish == '-';
	bool of_service = env_get("QMAILTLS") != NULL;
	struct tls_way way;
	int control, data, once = -1;

	/* The server behind us gets no hold of it. */
	if (!tls_way_take(&way) && of_service)
		warn("$QMAILTLS names no way to qmail-tlsd");
	/* The key is read by qmail-tlsd, as whoever we are now. */
	if (!tls_way_is_there(&way) && !unwanted)
		once = start_once(f);
	drop(f);
	if (unwanted) {
		offer_nothing(f);
		become_program(f);
	}
	if (!order(f, &way, once, &control, &data)) {
		offer_nothing(f);
		close(control);
		close(data);
	} else if (f->implicit) {
		finish_implicit(control, data);
	} else {
		offer(control, data);
	}
	become_program(f);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "qmail-tls",
		.flags = PROGRAM_KEEP_UMASK,
	};
	struct front front = { .implicit = env_get("SMTPS") != NULL };

	program_begin(&program);
	parse(&front, argc, argv);
	if (front.resident)
		run_service(&front);
	run_connection(&front);
}
