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
#include "smtp/tls_order.h"

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
	ANSWER_SECONDS = 20,    /* for qmail-tlsd to take an order */
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

/* qmail-tlsd with one end of a pair; the other end is returned. */
static int
start_tlsd(const struct front *f, bool once)
{
	char path[4096];
	const char *words[10] = { "qmail-tlsd" };
	size_t n = 1;
	struct spawn how = { .path = path };
	volatile int start_error = 0;
	int pair[2], status = 0;
	pid_t pid;

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
	snprintf(path, sizeof(path), "%s/bin/qmail-tlsd", program_home());
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		die_errno(EX_TEMPORARY, "unable to make a socket");
	how.argv = spawn_argv(words);
	how.fds[0] = pair[1];
	how.fds[1] = SPAWN_FD_NULL;
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
	close(pair[1]);
	/* One for a service leaves a process behind and ends. */
	if (!once && (spawn_wait(pid, &status) != 0 || status != 0))
		die(EX_TEMPORARY, "qmail-tlsd did not start");
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

/* Before tcpserver: it inherits the way to qmail-tlsd and passes it on. */
static _Noreturn void
run_service(const struct front *f)
{
	int orders = start_tlsd(f, false);
	int fd = fcntl(orders, F_DUPFD, FD_ORDERS);

	if (fd < 0)
		die_errno(EX_TEMPORARY, "unable to keep a descriptor");
	tell("QMAILTLS", fd);
	become_program(f);
}

/* What $QMAILTLS names; the server behind us gets no hold of it. */
static int
orders_of_service(void)
{
	const char *text = env_get("QMAILTLS");
	uint64_t n;

	if (text == NULL)
		return -1;
	if (strv_to_u64(strv_of(text), 65535, &n) != 0 || n < FD_ORDERS ||
	    fcntl((int)n, F_SETFD, FD_CLOEXEC) < 0) {
		warn("$QMAILTLS is %s, which is no descriptor", text);
		n = UINT64_MAX;
	}
	env_unset("QMAILTLS");
	return n == UINT64_MAX ? -1 : (int)n;
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
 * Hands the connection to qmail-tlsd.  True, and our ends of control and
 * data, if it can speak TLS.
 */
static bool
order(const struct front *f, int orders, int *control, int *data)
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
	r = order_send(orders, &o);
	close(c[1]);
	close(d[1]);
	if (r == 0)
		r = io_wait(c[0], POLLIN, clock_deadline(ANSWER_SECONDS));
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
	int orders = orders_of_service();
	int control, data;

	bool unwanted = !f->implicit && wish != NULL && *wish == '-';

	/* The key is read by qmail-tlsd, as whoever we are now. */
	if (orders < 0 && !unwanted)
		orders = start_tlsd(f, true);
	drop(f);
	if (unwanted) {
		offer_nothing(f);
		become_program(f);
	}
	if (!order(f, orders, &control, &data)) {
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
