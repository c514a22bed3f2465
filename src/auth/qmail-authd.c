/*
 * qmail-authd [socket]: a resident checker for virtual users.
 *
 * Answers the questions of smtp/sasl_ask.h on a socket in the file system, in
 * workers.  Started by root, its master makes the socket and loads what the
 * workers may not open, /etc/qpasswd and users/mailboxes.cdb, and reads
 * nothing that a client has said; each worker becomes the user of the homes
 * for good before it does.  Without root all of it runs as its caller.
 * Writes nothing.
 */
#include "auth/authd_files.h"
#include "auth/authd_worker.h"
#include "base/account.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/listener.h"
#include "base/program.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	AUTHD_WORKERS = 4,
	AUTHD_BACKLOG = 256,
	AUTHD_PAUSE_SECONDS = 1 /* before a worker in place of one that died */
};

#define AUTHD_SOCKET "run/authd"

struct worker {
	pid_t pid;           /* -1: there is none */
	unsigned generation; /* of the files that it knows */
};

struct master {
	int listener, lock;
	bool by_root;
	uid_t server;  /* of qmail-smtpd */
	uid_t bare;    /* of workers while nobody has a home */
	gid_t servers; /* who may connect */
	gid_t bare_group;
	struct authd_files files;
	unsigned generation; /* how often they were loaded */
	sigset_t waited;
	struct worker workers[AUTHD_WORKERS];
};

static void
find_accounts(struct master *m)
{
	gid_t unused;

	if (!m->by_root)
		return;
	if (account_group(account_group_none(), &m->servers) != 0)
		die(EX_TEMPORARY, "unable to find group %s",
		    account_group_none());
	if (account_user(role_user(ROLE_DAEMON), &m->server, &unused) != 0)
		die(EX_TEMPORARY, "unable to find user %s",
		    role_user(ROLE_DAEMON));
	if (account_user(role_user(ROLE_PASSWD), &m->bare, &m->bare_group) !=
		0 ||
	    m->bare == 0)
		die(EX_TEMPORARY, "unable to find user %s",
		    role_user(ROLE_PASSWD));
}

/* In place of a socket that another one has left, and of nothing else. */
static void
open_socket(struct master *m, const char *path)
{
	struct stat st;
	int r;

	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		die(EX_PERMANENT, "%s: is there, and no socket", path);
	r = listener_lock(path, &m->lock);
	if (r == QE_DENIED)
		die(EX_TEMPORARY, "%s: somebody is there already", path);
	umask(0117);
	if (r == 0)
		r = listener_open(path, SOCK_SEQPACKET | SOCK_NONBLOCK,
		    m->by_root ? &m->servers : NULL, AUTHD_BACKLOG,
		    &m->listener);
	if (r == QE_LIMIT)
		die(EX_PERMANENT, "%s: too long for a socket", path);
	if (r != 0)
		die_errno(EX_TEMPORARY, "unable to listen at %s", path);
	umask(077);
}

/* In the child. */
static _Noreturn void
work(struct master *m, pid_t master)
{
	struct authd_work w = { .listener = m->listener,
		.files = &m->files,
		.master = master,
		.waited = &m->waited,
		.by_root = m->by_root,
		.server = m->server };

	/* Whoever holds it is the one server of the socket. */
	io_close(&m->lock);
	if (!authd_files_owner(&m->files, &w.uid, &w.gid) || w.uid == 0) {
		w.uid = m->bare;
		w.gid = m->bare_group;
	}
	authd_work(&w);
}

static pid_t
start_worker(struct master *m)
{
	pid_t master = getpid();
	pid_t pid = fork();

	if (pid == 0)
		work(m, master);
	if (pid < 0)
		warn("unable to fork: %s", error_text(errno));
	return pid;
}

/* What has become of workers that ended. */
struct ends {
	bool died; /* of something else than old age or news */
	bool news; /* one that knows what we know saw a change */
};

static struct ends
reap(struct master *m)
{
	struct ends ends = { .died = false };
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool news =
		    WIFEXITED(status) && WEXITSTATUS(status) == AUTHD_NEWS_EXIT;

		if (status != 0 && !news) {
			warn("a worker died; another one follows");
			ends.died = true;
		}
		for (size_t i = 0; i < AUTHD_WORKERS; i++) {
			struct worker *worker = &m->workers[i];

			if (worker->pid != pid)
				continue;
			worker->pid = -1;
			if (news && worker->generation == m->generation)
				ends.news = true;
		}
	}
	return ends;
}

/* True if there are as many as there should be. */
static bool
fill(struct master *m)
{
	bool all = true;

	for (size_t i = 0; i < AUTHD_WORKERS; i++) {
		struct worker *worker = &m->workers[i];

		if (worker->pid < 0)
			*worker =
			    (struct worker){ start_worker(m), m->generation };
		all = all && worker->pid > 0;
	}
	return all;
}

/* The signals are blocked, so that none comes between asking and waiting. */
static void
watch(struct master *m)
{
	const struct timespec pause = { .tv_sec = AUTHD_PAUSE_SECONDS };
	int told;

	for (size_t i = 0; i < AUTHD_WORKERS; i++)
		m->workers[i].pid = -1;
	do {
		struct ends ends = reap(m);
		bool loaded = authd_files_load(&m->files);

		if (loaded)
			m->generation++;
		/* News that we cannot see is not to keep us busy. */
		if (ends.died || (ends.news && !loaded))
			clock_sleep_ms(AUTHD_PAUSE_SECONDS * 1000);
		told = fill(m) ? sigwaitinfo(&m->waited, NULL)
			       : sigtimedwait(&m->waited, NULL, &pause);
	} while (told < 0 || told == SIGCHLD);
	for (size_t i = 0; i < AUTHD_WORKERS; i++)
		if (m->workers[i].pid > 0)
			(void)kill(m->workers[i].pid, SIGTERM);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "qmail-authd", .flags = PROGRAM_HOME, .umask = 077
	};
	const char *path = argc == 2 ? argv[1] : AUTHD_SOCKET;
	struct master m = { .listener = -1, .lock = -1 };

	program_begin(&program);
	if (argc > 2)
		die_usage("qmail-authd [socket]");
	m.by_root = geteuid() == 0;
	find_accounts(&m);
	authd_files_init(&m.files, m.by_root);
	open_socket(&m, path);
	sigemptyset(&m.waited);
	sigaddset(&m.waited, SIGTERM);
	sigaddset(&m.waited, SIGINT);
	sigaddset(&m.waited, SIGCHLD);
	sigprocmask(SIG_BLOCK, &m.waited, NULL);
	watch(&m);
	(void)unlink(path);
	authd_files_free(&m.files);
	return EX_SUCCESS;
}
