/*
 * qmail-realrcpt: tells qmail-smtpd whether a local part has a mailbox.
 *
 * Runs as root (or, without root, for its own uid only) and listens on
 * run/realrcpt, which only the group of the network servers may open.  Each
 * question gets a process of its own: it finds the account as qmail-lspawn
 * does, becomes that user for good and looks into the home with the code of
 * qmail-local.  Nothing is run, no file is read but users/cdb.
 */
#include "base/account.h"
#include "base/cdb.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/listener.h"
#include "base/program.h"
#include "conf/mailbox.h"
#include "conf/mailbox_ask.h"
#include "send/lookup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHILDREN_MAX = 20,    /* questions looked into at a time */
	BACKLOG = 128,        /* questions that wait */
	QUESTION_SECONDS = 5, /* for a question to arrive */
	LOOKUP_SECONDS = 10,  /* for the password database */
	CHILD_SECONDS = 20,   /* for all of it */
	FULL_MS = 50          /* between looks for a free place */
};

struct child {
	pid_t pid; /* 0: a free place */
	int64_t deadline_ms;
};

struct server {
	int listener;
	int lock; /* for the life of this process, not of its children */
	struct lookup lookup;
	struct child children[CHILDREN_MAX];
};

static const struct program program = {
	.name = "qmail-realrcpt", .flags = PROGRAM_HOME, .umask = 077
};

/* The account by the password database, in a process without rights. */
static int
find_account(struct lookup *lookup, struct strv local, struct user_entry *entry)
{
	int code = 0;
	int r = lookup_ask(lookup, local);

	if (r == 0)
		r = io_wait(lookup->fd, POLLIN, clock_deadline(LOOKUP_SECONDS));
	if (r == 0)
		r = lookup_answer(lookup, &code, entry);
	lookup_stop(lookup);
	return r == 0 && code == 0 ? 0 : QE_TEMP;
}

/* Gives up all rights but the user's. */
static int
become(const struct user_entry *entry)
{
	if (mailbox_rights(entry, geteuid()) != MAILBOX_MAY)
		return QE_DENIED;
	if (geteuid() != 0)
		return 0;
	return account_become(entry->uid, entry->gid, &entry->gid, 1);
}

static enum mailbox_answer
decide(struct lookup *lookup, struct strv local)
{
	struct user_entry entry = { .bytes = BUF_INIT };
	struct cdb_reader *assign = NULL;
	int r = users_find_assigned("users/cdb", local, &assign, &entry);

	if (r == QE_ABSENT)
		r = find_account(lookup, local, &entry);
	if (r == 0 && become(&entry) != 0)
		r = QE_TEMP;
	if (r == 0) {
		r = mailbox_look(&entry);
		if (r == QE_ABSENT)
			return MAILBOX_NO;
	}
	return r == 0 ? MAILBOX_YES : MAILBOX_DEFERRED;
}

/* One question; everything of this process ends with it. */
static _Noreturn void
serve(struct server *server, int fd)
{
	char question[MAILBOX_LOCAL_MAX];
	char answer = MAILBOX_DEFERRED;
	ssize_t got;

	io_close(&server->listener);
	io_close(&server->lock);
	alarm(CHILD_SECONDS);
	if (io_wait(fd, POLLIN, clock_deadline(QUESTION_SECONDS)) != 0)
		_exit(EX_TEMPORARY);
	got = recv(fd, question, sizeof(question), MSG_TRUNC);
	if (got <= 0)
		_exit(EX_TEMPORARY);
	if ((size_t)got <= sizeof(question))
		answer = (char)decide(
		    &server->lookup, strv_from(question, (size_t)got));
	_exit(send(fd, &answer, 1, MSG_NOSIGNAL) == 1 ? EX_SUCCESS
						      : EX_TEMPORARY);
}

/* Against our umask; an existing one is the administrator's. */
static void
make_directory(void)
{
	if (mkdir(MAILBOX_DIRECTORY, 0755) == 0) {
		if (chmod(MAILBOX_DIRECTORY, 0755) == 0)
			return;
	} else if (errno == EEXIST) {
		return;
	}
	die_errno(EX_TEMPORARY, "unable to make %s", MAILBOX_DIRECTORY);
}

/* Only the network servers' group may ask. */
static void
open_listener(struct server *server)
{
	gid_t group, *servers = NULL;
	int r;

	if (geteuid() == 0) {
		if (account_group(account_group_none(), &group) != 0)
			die(EX_TEMPORARY, "unable to find group %s",
			    account_group_none());
		servers = &group;
	}
	r = listener_lock(MAILBOX_SOCKET, &server->lock);
	if (r == QE_DENIED)
		die(EX_TEMPORARY, "already running");
	if (r == 0)
		r = listener_open(MAILBOX_SOCKET, SOCK_SEQPACKET, servers,
		    BACKLOG, &server->listener);
	if (r != 0)
		die_errno(EX_TEMPORARY, "unable to make %s", MAILBOX_SOCKET);
}

/* Takes the children that have ended. */
static void
reap(struct server *server)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < CHILDREN_MAX; i++)
			if (server->children[i].pid == pid)
				server->children[i].pid = 0;
}

/*
 * A place for one more.  The alarm ends most of those that are late, but a
 * user may have stopped the process that became him.
 */
static struct child *
free_place(struct server *server)
{
	for (;;) {
		int64_t now = clock_mono_ms();

		reap(server);
		for (size_t i = 0; i < CHILDREN_MAX; i++) {
			struct child *child = &server->children[i];

			if (child->pid == 0)
				return child;
			if (child->deadline_ms <= now)
				kill(child->pid, SIGKILL);
		}
		clock_sleep_ms(FULL_MS);
	}
}

static _Noreturn void
accept_all(struct server *server)
{
	for (;;) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
		struct child *child;
		pid_t pid;

		if (fd < 0) {
			if (errno != EINTR && errno != ECONNABORTED)
				clock_sleep_ms(FULL_MS); /* no descriptors? */
			continue;
		}
		child = free_place(server);
		pid = fork();
		if (pid == 0)
			serve(server, fd);
		if (pid > 0)
			*child = (struct child){ pid,
				clock_deadline(CHILD_SECONDS) };
		io_close(&fd);
	}
}

int
main(int argc, char **argv)
{
	struct server server = { .lock = -1 };

	(void)argv;
	program_begin(&program);
	if (argc != 1)
		die_usage("qmail-realrcpt");
	lookup_init(&server.lookup);
	lookup_require_ids(&server.lookup);
	make_directory();
	open_listener(&server);
	accept_all(&server);
}
