/*
 * qmail-scand: a resident virus scanner on libclamav, with clamd's protocol
 * on the local socket run/scand (qmail-scand(8)).
 *
 * Started by root it makes the socket and becomes its own user for good;
 * otherwise it runs as its caller.  Reads control/ and the database, writes
 * below cache/scan.  Three kinds of processes: front, keeper, worker.
 */
#include "base/account.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/listener.h"
#include "base/program.h"
#include "conf/control.h"
#include "scan/engine.h"
#include "scan/front.h"
#include "scan/keeper.h"
#include "scan/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 256 };

#define SCAN_SOCKET "run/scand"

static const struct program program = {
	.name = "qmail-scand", .flags = PROGRAM_HOME, .umask = 077
};

/* Against our umask; existing ones are the administrator's. */
static void
make_directory(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0 ? chmod(path, mode) < 0 : errno != EEXIST)
		die_errno(EX_TEMPORARY, "unable to make %s", path);
}

static int
open_listener(void)
{
	gid_t group, *servers = NULL;
	int lock, fd, r;

	if (geteuid() == 0) {
		if (account_group(account_group_none(), &group) != 0)
			die(EX_TEMPORARY, "unable to find group %s",
			    account_group_none());
		servers = &group;
	}
	make_directory("run", 0755);
	r = listener_lock(SCAN_SOCKET, &lock); /* for ever */
	if (r == QE_DENIED)
		die(EX_TEMPORARY, "already running");
	if (r == 0)
		r = listener_open(SCAN_SOCKET, SOCK_STREAM | SOCK_NONBLOCK,
		    servers, BACKLOG, &fd);
	if (r != 0)
		die_errno(EX_TEMPORARY, "unable to make %s", SCAN_SOCKET);
	return fd;
}

/* From root to the scanner's own user; others stay who they are. */
static void
become(void)
{
	const char *user = role_user(ROLE_SCAN);
	uid_t uid;
	gid_t gid;

	make_directory("cache", 0755);
	if (geteuid() != 0) {
		make_directory(SCAN_DIRECTORY, 0700);
		return;
	}
	if (account_user(user, &uid, &gid) != 0 || uid == 0)
		die(EX_TEMPORARY, "unable to find user %s", user);
	if (mkdir(SCAN_DIRECTORY, 0700) == 0) {
		if (lchown(SCAN_DIRECTORY, uid, gid) < 0)
			die_errno(EX_TEMPORARY, "unable to change %s",
			    SCAN_DIRECTORY);
	} else if (errno != EEXIST) {
		die_errno(EX_TEMPORARY, "unable to make %s", SCAN_DIRECTORY);
	}
	if (account_become(uid, gid, &gid, 1) != 0)
		die_errno(EX_TEMPORARY, "unable to become user %s", user);
}

/* Names and messages are what it is about; everything else is closed to it. */
static void
shut_in(const struct scan_settings *settings)
{
	const struct sandbox_path paths[] = {
		{settings->database.data, false},
		{ SCAN_DIRECTORY,         true },
		{ "/proc",                false},
		{ "/dev/urandom",         false},
		{ "/dev/null",            true },
	};
	int r = sandbox_files(paths, sizeof(paths) / sizeof(*paths));

	if (r == QE_ABSENT)
		warn("this kernel has no Landlock: files are protected by the "
		     "user's rights alone");
	else if (r != 0)
		die_errno(EX_TEMPORARY, "unable to limit access to files");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die_errno(EX_TEMPORARY, "unable to give up privileges");
	r = sandbox_calls(SANDBOX_FRONT);
	if (r == QE_ABSENT)
		warn("this kernel has no seccomp: all system calls are open");
	else if (r != 0)
		die(EX_TEMPORARY, "unable to limit system calls");
}

static int
open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		die_errno(EX_TEMPORARY, "unable to block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die_errno(EX_TEMPORARY, "unable to watch signals");
	return fd;
}

/* A socket and a file for each client. */
static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int
main(int argc, char **argv)
{
	struct control_error err = { .text = "unable to read controls" };
	struct scan_settings settings;
	int listener;

	(void)argv;
	program_begin(&program);
	if (argc != 1)
		die_usage("qmail-scand");
	if (scan_settings_load(&settings, &err) != 0)
		die(EX_TEMPORARY, "%s", err.text);
	listener = open_listener();
	become();
	raise_descriptors();
	keeper_clean(WORKER_PREFIX);
	if (engine_begin() != 0)
		die(EX_TEMPORARY, "unable to start libclamav");
	shut_in(&settings);
	front_run(listener, open_signals(), &settings);
}
