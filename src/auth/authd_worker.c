/*
 * Gives up root first, then answers questions, one a connection.  What it
 * knows of users is as old as it is: it ends when the files have changed,
 * before it takes a question, and that waits for the next worker.
 */
#include "auth/authd_worker.h"
#include "auth/authd.h"
#include "auth/authd_jail.h"
#include "base/account.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	AUTHD_QUESTIONS = 20000, /* of one worker; then a new one */
	AUTHD_HEAR_SECONDS = 5,  /* for a question, once connected */
	AUTHD_FULL_MS = 50,      /* before another try where accept failed */
	AUTHD_TOLD = 250         /* refusals, before the log is told of them */
};

/* Not every group member's: whoever may ask may guess. */
static bool
may_ask(const struct authd_work *w, int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(peer);

	if (!w->by_root)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return false;
	if (peer.uid == 0 || peer.uid == w->server)
		return true;
	warn("uid %ld asked, and gets no answer", (long)peer.uid);
	return false;
}

/* Of a worker, since it was told of last. */
struct refusals {
	unsigned count;
	int64_t since_ms;
};

/* A server that somebody has taken over has no log of its own. */
static void
count_refusal(struct refusals *r)
{
	int64_t now_ms = clock_mono_ms();

	if (++r->count < AUTHD_TOLD)
		return;
	warn("refused %d logins in %ld seconds", AUTHD_TOLD,
	    (long)((now_ms - r->since_ms) / 1000));
	*r = (struct refusals){ .since_ms = now_ms };
}

/* One connection, one question. */
static void
serve(const struct authd *a, int fd, bool unseen, struct refusals *refusals)
{
	const struct timeval limit = { .tv_sec = AUTHD_HEAR_SECONDS };
	char question[SASL_QUESTION_MAX + 1];
	struct buf reply = BUF_LIMIT(SASL_REPLY_MAX);
	ssize_t got;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	got = recv(fd, question, sizeof(question), 0);
	if (got > 0) {
		if (unseen)
			buf_add_char(&reply, 't');
		else
			authd_answer(
			    a, strv_from(question, (size_t)got), &reply);
		if (reply.len > 0 && reply.data[0] == '1')
			count_refusal(refusals);
		(void)!send(fd, reply.data, reply.len, MSG_NOSIGNAL);
	}
	explicit_bzero(question, sizeof(question));
	buf_free_secret(&reply);
}

static void
become(const struct authd_work *w)
{
	if (!w->by_root)
		return;
	if (account_become(w->uid, w->gid, &w->gid, 1) != 0)
		die_errno(
		    EX_TEMPORARY, "unable to become uid %ld", (long)w->uid);
}

/*
 * The worker ends with its master, however that ends: what came while the
 * signals were blocked or before the kernel was told is not lost.  Behind
 * become(), which makes the kernel forget it.
 */
static void
end_with_master(const struct authd_work *w)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != w->master)
		_exit(0);
	(void)sigprocmask(SIG_UNBLOCK, w->waited, NULL);
}

/* Tells one worker of a connection, not all of them. */
static int
open_watch(int listener)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, listener, &event) != 0)
		die_errno(EX_TEMPORARY, "unable to watch the socket");
	return fd;
}

/* The next connection, or -1: there is none any more. */
static int
take(const struct authd_work *w)
{
	int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 && errno != EAGAIN && errno != EINTR &&
	    errno != ECONNABORTED)
		clock_sleep_ms(AUTHD_FULL_MS);
	return fd;
}

void
authd_work(const struct authd_work *w)
{
	const struct authd a = { .files = w->files,
		.has_private = !w->by_root };
	struct refusals refusals = { .since_ms = clock_mono_ms() };
	int watch;

	become(w);
	end_with_master(w);
	watch = open_watch(w->listener);
	if (authd_jail(w->by_root) != 0)
		die_errno(EX_TEMPORARY, "unable to limit system calls");
	for (unsigned i = 0; i < AUTHD_QUESTIONS;) {
		struct epoll_event event;
		enum authd_news news;
		int fd;

		if (epoll_wait(watch, &event, 1, -1) < 1)
			continue;
		news = authd_files_news(w->files);
		if (news == AUTHD_CHANGED)
			_exit(AUTHD_NEWS_EXIT);
		fd = take(w);
		if (fd < 0)
			continue;
		if (may_ask(w, fd))
			serve(&a, fd, news == AUTHD_UNSEEN, &refusals);
		io_close(&fd);
		i++;
	}
	_exit(0);
}
