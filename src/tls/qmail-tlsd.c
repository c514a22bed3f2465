/*
 * qmail-tlsd [-1] [-c certificate] [-n connections] [-t seconds]: TLS for the
 * connections that come on descriptor 0, until the pipe on 1 ends (with -1,
 * until 0 does).  qmail-tlsd -C: TLS for one connection of qmail-remote; -M:
 * for many, whose orders come on 0, started by qmail-rspawn.  The only program
 * that links libssl.
 *
 * The server role runs as root, as it reads the private key and, with root,
 * gives handshakes to processes that become qmailt in an empty root directory
 * and have one connection at a time: pool.c, serve.c and jail.c.  It reads
 * control/servercert.pem, control/servercerts, control/clientca.pem,
 * control/tlsserverciphers and run/tls, and writes run/tls and its log.  The
 * client role runs as whoever runs qmail-remote.  Neither inherits a
 * descriptor above 3.
 */
#include "base/account.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/options.h"
#include "base/program.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "tls/client.h"
#include "tls/clients.h"
#include "tls/master.h"

#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AGAIN_SECONDS = 1, SECONDS_DEFAULT = 60, SECONDS_MAX = 110 };

static const char usage[] =
    "qmail-tlsd [-1] [-c certificate] [-n connections] [-t seconds], started "
    "by qmail-tls; or qmail-tlsd -C, or -M";

/* qmailt, and a place with nothing in it that is nobody's but root's. */
static void
find_jail(struct jail *jail)
{
	struct stat st;

	jail->is_root = geteuid() == 0;
	if (!jail->is_root)
		return;
	if (account_user(role_user(ROLE_TLS), &jail->uid, &jail->gid) != 0 ||
	    jail->uid == 0)
		die(EX_TEMPORARY, "there is no user %s; make install adds it",
		    role_user(ROLE_TLS));
	if ((mkdir("run", 0755) < 0 && errno != EEXIST) ||
	    (mkdir(JAIL_DIR, 0755) < 0 && errno != EEXIST))
		die_errno(EX_TEMPORARY, "unable to make %s", JAIL_DIR);
	if (lstat(JAIL_DIR, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		die(EX_TEMPORARY, "%s must be root's directory, mode 0755",
		    JAIL_DIR);
}

/* For those who start a service before they have a certificate. */
static void
look_for_certificate(const char *path)
{
	if (access(path, R_OK) == 0)
		return;
	warn("no TLS yet: %s: %s.  \"make cert\" makes one for a start, "
	     "qmail-tls(8) tells of others; it is taken up without a restart",
	    path, error_text(errno));
}

/*
 * In the background for good, away from signals to the service.  A master
 * that dies of something is replaced; the way to it stays open.
 */
static void
stand_guard(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die_errno(EX_TEMPORARY, "unable to fork");
	if (pid > 0)
		_exit(0);
	setsid();
	for (;;) {
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			return;
		}
		if (pid > 0 && spawn_wait(pid, &status) == 0 && status == 0)
			_exit(0);
		warn("a process ended that should not; another takes over");
		sleep(AGAIN_SECONDS);
	}
}

static uint64_t
number(const char *text, uint64_t max)
{
	uint64_t n;

	if (strv_to_u64(strv_of(text), max, &n) != 0 || n == 0)
		die_usage(usage);
	return n;
}

static int
serve(int argc, char **argv)
{
	struct master m = { .certificate = "control/servercert.pem",
		.uses = POOL_USES,
		.serve = { .seconds = SECONDS_DEFAULT } };
	struct options o;
	int letter;

	options_init(&o, argc, argv, "1c:n:t:");
	while ((letter = options_next(&o)) != -1) {
		if (letter == '1')
			m.once = true;
		else if (letter == 'c')
			m.certificate = o.arg;
		else if (letter == 'n')
			m.uses = (unsigned)number(o.arg, POOL_USES_MAX);
		else if (letter == 't')
			m.serve.seconds = (int)number(o.arg, SECONDS_MAX);
		else
			die_usage(usage);
	}
	if (o.index != argc)
		die_usage(usage);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	find_jail(&m.serve.jail);
	if (m.once)
		m.uses = 1;
	if (!m.once) {
		look_for_certificate(m.certificate);
		stand_guard();
	}
	return master_run(&m, STDIN_FILENO, m.once ? -1 : STDOUT_FILENO);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "qmail-tls",
		.flags = PROGRAM_HOME | PROGRAM_FD0,
		.umask = 077,
	};

	program_begin(&program);
	if (argc == 2 && strcmp(argv[1], "-C") == 0)
		return client_run();
	if (argc == 2 && strcmp(argv[1], "-M") == 0)
		return clients_run();
	return serve(argc, argv);
}
