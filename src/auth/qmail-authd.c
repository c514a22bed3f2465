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
	AUTHD_PAUSE_MS = 1000    /* before a worker in place of one that died */
};

static volatile sig_atomic_t is_told_to_end;

static void
on_end(int number)
{
	(void)number;
	is_told_to_end = 1;
}

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

static _Noreturn void
work(int listener)
{
	struct authd a;

	authd_init(&a);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_DFL);
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
start_worker(int listener)
{
	pid_t pid = fork();

	if (pid == 0)
		work(listener);
	if (pid < 0)
		warn("unable to fork: %s", error_text(errno));
	return pid;
}

static void
watch(int listener)
{
	pid_t workers[AUTHD_WORKERS];

	for (size_t i = 0; i < AUTHD_WORKERS; i++)
		workers[i] = start_worker(listener);
	while (!is_told_to_end) {
		int status = 0;
		pid_t pid = wait(&status);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0 || status != 0) {
			if (pid >= 0)
				warn("a worker died; another one follows");
			clock_sleep_ms(AUTHD_PAUSE_MS);
		}
		for (size_t i = 0; i < AUTHD_WORKERS; i++)
			if (workers[i] == pid || workers[i] < 0)
				workers[i] = start_worker(listener);
	}
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
	struct sigaction end = { .sa_handler = on_end };
	int listener;

	program_begin(&program);
	if (argc != 2)
		die_usage("qmail-authd socket");
	if (geteuid() == 0)
		die(EX_PERMANENT,
		    "not as root: as the user that all homes belong to");
	listener = open_socket(argv[1]);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	watch(listener);
	(void)unlink(argv[1]);
	return EX_SUCCESS;
}
