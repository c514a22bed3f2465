/*
 * qmail-listen [options] address[,address] port program [arg ...]: runs the
 * program for each TCP connection, as tcpserver does, with its options and the
 * same lines in the log; qmail-listen(8).
 *
 * One small static process that nothing of a client's reaches but its address.
 * It forks with vfork semantics, so that a connection costs it neither copied
 * page tables nor copied pages: a third of what the start of a session costs
 * under tcpserver.  It knows both families of addresses, and can limit the
 * connections of one client.  It asks nobody about clients: no name servers,
 * no ident.
 */
#include "base/account.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "listen/visit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STARVED_MS = 500 }; /* a pause when the system is out of something */

/* Children end and TERM comes as something to read, in their order. */
static int
open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die_errno(EX_TEMPORARY, "unable to watch signals");
	return fd;
}

static void
reap(struct host *host)
{
	int status;
	pid_t pid;

	while (
	    host->places.count > 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0)
		visit_end(host, pid, status);
}

/* TERM ends us and nobody else: sessions go on. */
static void
take_signals(struct host *host, int fd)
{
	struct signalfd_siginfo info[2]; /* there are no more kinds */
	ssize_t n = read(fd, info, sizeof(info));

	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(*info); i++)
		if (info[i].ssi_signo == SIGTERM)
			_exit(EX_SUCCESS);
	reap(host);
}

static void
let_in(struct host *host, int door)
{
	struct client client;
	int r = doors_accept(door, &client);

	if (r == QE_SYS) {
		if (!host->settings->quiet)
			warn("unable to accept a connection: %s",
			    error_result_text(r));
		clock_sleep_ms(STARVED_MS);
	} else if (r == 0) {
		visit_begin(host, &client);
	}
}

static _Noreturn void
serve(struct host *host, const int *doors, size_t count)
{
	struct pollfd watched[DOORS_MAX + 1] = { { .events = POLLIN } };

	watched[0].fd = open_signals();
	for (size_t i = 0; i < count; i++)
		watched[i + 1] =
		    (struct pollfd){ .fd = doors[i], .events = POLLIN };
	visit_status(host);
	for (;;) {
		bool full = host->places.count == host->places.max;

		/* Who comes while all places are taken waits outside. */
		if (poll(watched, full ? 1 : count + 1, -1) < 0) {
			if (errno == EINTR)
				continue;
			die_errno(EX_TEMPORARY, "unable to wait");
		}
		if (watched[0].revents != 0)
			take_signals(host, watched[0].fd);
		for (size_t i = 1; i <= count && !full; i++) {
			if (watched[i].revents != 0)
				let_in(host, watched[i].fd);
			full = host->places.count == host->places.max;
		}
	}
}

int
main(int argc, char **argv)
{
	static const struct program program = { "qmail-listen",
		PROGRAM_KEEP_UMASK, 0 };
	static struct host host;
	static struct settings settings;
	int doors[DOORS_MAX];
	size_t count;

	program_begin(&program);
	settings_parse(&settings, argc, argv);
	count = doors_open(&settings, doors);
	if (settings.drop &&
	    account_become(settings.uid, settings.gid, &settings.gid, 1) != 0)
		die_errno(EX_TEMPORARY, "unable to become uid %u gid %u",
		    (unsigned)settings.uid, (unsigned)settings.gid);
	host.settings = &settings;
	host.rules.path = settings.rules;
	host.rules.optional = settings.rules_optional;
	if (places_init(&host.places, settings.places) != 0)
		die_nomem();
	/* Nobody asks; and nobody may be believed to have been asked. */
	env_unset("TCPREMOTEHOST");
	env_unset("TCPREMOTEINFO");
	env_unset("TCPLOCALHOST");
	serve(&host, doors, count);
}
