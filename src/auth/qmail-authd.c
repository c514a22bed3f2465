/*
 * qmail-authd socket: a resident checker for users of one uid.
 *
 * Runs as that uid, never as root.  Answers the questions of smtp/sasl_ask.h
 * on a socket in the file system, in workers that read users/qpasswd,
 * users/poppasswd and the .qpasswd files of homes, and write nothing.  Each
 * question is judged as checkqpasswd and checkpassword would.
 */
#include "auth/authd.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	AUTHD_WORKERS = 4,
	AUTHD_BACKLOG = 256,
	AUTHD_QUESTIONS = 20000, /* of one worker; then a new one */
	AUTHD_HEAR_SECONDS = 5,  /* for a question, once connected */
	AUTHD_PAUSE_SECONDS = 1  /* before a worker in place of one that died */
};

/* What another one left; if that still answers, it is in our place. */
static void
remove_old(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		die_errno(EX_TEMPORARY, "unable to make a socket");
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) ==
	    0)
		die(EX_TEMPORARY, "%s: somebody is there already",
		    address->sun_path);
	io_close(&fd);
	if (lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(address->sun_path);
}

static int
open_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		die(EX_PERMANENT, "%s: too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path));
	remove_old(&address);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	umask(0117);
	if (fd < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, AUTHD_BACKLOG) != 0)
		die_errno(EX_TEMPORARY, "unable to listen at %s", path);
	umask(077);
	return fd;
}

/* One connection, one question. */
static void
serve(struct authd *a, int fd)
{
	const struct timeval limit = { .tv_sec = AUTHD_HEAR_SECONDS };
	char question[SASL_QUESTION_MAX + 1];
	struct buf reply = BUF_LIMIT(SASL_REPLY_MAX);
	ssize_t got;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	got = recv(fd, question, sizeof(question), 0);
	if (got > 0) {
		authd_answer(a, strv_from(question, (size_t)got), &reply);
		(void)!send(fd, reply.data, reply.len, MSG_NOSIGNAL);
	}
	explicit_bzero(question, sizeof(question));
	buf_free_secret(&reply);
}

/*
 * The worker ends with its master, however that ends: what came while the
 * signals were blocked or before the kernel was told is not lost.
 */
static void
end_with(pid_t master, const sigset_t *waited_for)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != master)
		_exit(0);
	(void)sigprocmask(SIG_UNBLOCK, waited_for, NULL);
}

static _Noreturn void
work(int listener)
{
	struct authd a;

	authd_init(&a);
	for (unsigned i = 0; i < AUTHD_QUESTIONS; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		serve(&a, fd);
		io_close(&fd);
	}
	authd_free(&a);
	_exit(0);
}

static pid_t
start_worker(int listener, const sigset_t *waited_for)
{
	pid_t master = getpid();
	pid_t pid = fork();

	if (pid == 0) {
		end_with(master, waited_for);
		work(listener);
	}
	if (pid < 0)
		warn("unable to fork: %s", error_text(errno));
	return pid;
}

/* True if a worker died of something else than old age, or never began. */
static bool
reap(pid_t workers[AUTHD_WORKERS])
{
	bool died = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (status != 0) {
			warn("a worker died; another one follows");
			died = true;
		}
		for (size_t i = 0; i < AUTHD_WORKERS; i++)
			if (workers[i] == pid)
				workers[i] = -1;
	}
	return died;
}

/* True if there are as many as there should be. */
static bool
fill(pid_t workers[AUTHD_WORKERS], int listener, const sigset_t *waited_for)
{
	bool all = true;

	for (size_t i = 0; i < AUTHD_WORKERS; i++) {
		if (workers[i] < 0)
			workers[i] = start_worker(listener, waited_for);
		all = all && workers[i] > 0;
	}
	return all;
}

/* The signals are blocked, so that none comes between asking and waiting. */
static void
watch(int listener, const sigset_t *waited_for)
{
	const struct timespec pause = { .tv_sec = AUTHD_PAUSE_SECONDS };
	pid_t workers[AUTHD_WORKERS];
	int told;

	for (size_t i = 0; i < AUTHD_WORKERS; i++)
		workers[i] = -1;
	do {
		if (reap(workers))
			clock_sleep_ms(AUTHD_PAUSE_SECONDS * 1000);
		told = fill(workers, listener, waited_for)
			   ? sigwaitinfo(waited_for, NULL)
			   : sigtimedwait(waited_for, NULL, &pause);
	} while (told < 0 || told == SIGCHLD);
	for (size_t i = 0; i < AUTHD_WORKERS; i++)
		if (workers[i] > 0)
			(void)kill(workers[i], SIGTERM);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "qmail-authd", .flags = PROGRAM_HOME, .umask = 077
	};
	sigset_t waited_for;
	int listener;

	program_begin(&program);
	if (argc != 2)
		die_usage("qmail-authd socket");
	if (geteuid() == 0)
		die(EX_PERMANENT,
		    "not as root: as the user that all homes belong to");
	listener = open_socket(argv[1]);
	sigemptyset(&waited_for);
	sigaddset(&waited_for, SIGTERM);
	sigaddset(&waited_for, SIGINT);
	sigaddset(&waited_for, SIGCHLD);
	sigprocmask(SIG_BLOCK, &waited_for, NULL);
	watch(listener, &waited_for);
	(void)unlink(argv[1]);
	return EX_SUCCESS;
}
