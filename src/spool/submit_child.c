/*
 * Waits for qmail-queue or what stands in its place, and turns its end into
 * words (qmail-queue(8)).
 *
 * A background process that keeps the pipe open is not waited for: when the
 * child has ended, what it said is already in the pipe.
 */
#include "spool/submit_child.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/spawn.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHILD_LOOK_MS = 50,      /* between looks where nothing tells us */
	CHILD_DRAIN_MAX = 16,    /* reads after the child's end */
	CHILD_ASCII_END = 127,   /* this and what follows is not for replies */
	CHILD_PERMANENT_MAX = 40 /* 11 to 40 are permanent */
};

int64_t
submit_child_deadline(int64_t from_now_ms)
{
	return clock_mono_ms() + from_now_ms;
}

int
submit_child_timeout(int64_t deadline_ms)
{
	int64_t left;

	if (deadline_ms == IO_FOREVER)
		return -1;
	left = deadline_ms - clock_mono_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

void
submit_child_listen(struct submit *s)
{
	char words[sizeof(s->custom)];
	size_t room = sizeof(s->custom) - s->custom_len;
	ssize_t got = io_read(s->custom_fd, words, sizeof(words));

	if (got <= 0) {
		io_close(&s->custom_fd);
		return;
	}
	if ((size_t)got < room)
		room = (size_t)got;
	memcpy(s->custom + s->custom_len, words, room);
	s->custom_len += room;
}

/* 1: the child has ended, 0: not yet, QE_TIMEOUT, QE_SYS. */
static int
look(struct submit *s, int pidfd, int64_t deadline_ms)
{
	struct pollfd p[2] = {
		{.fd = s->custom_fd, .events = POLLIN},
		{ .fd = pidfd,       .events = POLLIN}
	};
	siginfo_t info = { .si_pid = 0 };
	int timeout = submit_child_timeout(deadline_ms);
	int limit = timeout;
	bool is_blind;
	int n;

	if (pidfd < 0 && (limit < 0 || limit > CHILD_LOOK_MS))
		limit = CHILD_LOOK_MS;
	n = poll(p, 2, limit);
	/* For want of memory, say.  The child goes on, and may well queue. */
	is_blind = n < 0 && errno != EINTR;
	if (is_blind)
		clock_sleep_ms(CHILD_LOOK_MS);
	if (n > 0 && p[0].revents != 0)
		submit_child_listen(s);
	if (n > 0 && p[1].revents != 0)
		return 1;
	if (pidfd < 0 || is_blind) {
		if (waitid(P_PID, (id_t)s->pid, &info,
			WEXITED | WNOHANG | WNOWAIT) < 0)
			return QE_SYS;
		if (info.si_pid != 0)
			return 1;
	}
	return timeout == 0 ? QE_TIMEOUT : 0;
}

/* Words that were written before the end are in the pipe by now. */
static void
drain(struct submit *s)
{
	for (int i = 0; i < CHILD_DRAIN_MAX && s->custom_fd >= 0 &&
			s->custom_len < sizeof(s->custom);
	     i++) {
		struct pollfd p = { .fd = s->custom_fd, .events = POLLIN };

		if (poll(&p, 1, 0) <= 0)
			return;
		submit_child_listen(s);
	}
}

static int
look_until(struct submit *s, int pidfd, int64_t deadline_ms)
{
	int r;

	do
		r = look(s, pidfd, deadline_ms);
	while (r == 0);
	return r;
}

/*
 * Too late.  TERM, not KILL at once: our qmail-queue then takes back what it
 * has queued, as soon as the disk lets it, and a program that ends well at
 * this very moment has queued the message.  0 and how it has ended well, or
 * badly with an exit code; else QE_TIMEOUT.
 */
static int
stop_child(struct submit *s, int pidfd, int *status)
{
	int64_t deadline = submit_child_deadline(SUBMIT_STOP_MS);
	int r;

	submit_stop_term(s);
	r = look_until(s, pidfd, deadline);
	if (r != 1) {
		submit_stop_kill(s);
		r = look_until(s, pidfd, submit_child_deadline(SUBMIT_STOP_MS));
	}
	if (r != 1)
		return QE_TIMEOUT;
	drain(s);
	r = spawn_wait(s->pid, status);
	if (r == 0 && spawn_exit_code(*status) == QQ_OK)
		return 0;
	/* It is gone; what it has started must not queue the message. */
	if (!submit_stop_await_group(s, deadline))
		submit_stop_kill(s);
	return r == 0 && WIFSIGNALED(*status) ? QE_TIMEOUT : r;
}

int
submit_child_wait(struct submit *s, int64_t deadline_ms, int *status)
{
	int pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	int r = look_until(s, pidfd, deadline_ms);

	if (r == 1) {
		drain(s);
		r = spawn_wait(s->pid, status);
	} else if (r == QE_TIMEOUT) {
		r = stop_child(s, pidfd, status);
	}
	io_close(&s->custom_fd);
	io_close(&pidfd);
	return r;
}

const char *
submit_exit_text(int exit_code)
{
	switch (exit_code) {
	case -1:
		return "Zqq crashed (#4.3.0)";
	case QQ_OK:
		return "";
	case QQ_ADDRESS_TOO_LONG:
	case QQ_ADDRESS_TOO_LONG_OLD:
		return "Denvelope address too long for qq (#5.1.3)";
	case QQ_REFUSED_PERM:
		return "Dmail server permanently rejected message (#5.3.0)";
	case QQ_NOMEM:
		return "Zqq out of memory (#4.3.0)";
	case QQ_TIMEOUT:
		return "Zqq timeout (#4.3.0)";
	case QQ_WRITE:
		return "Zqq write error or disk full (#4.3.0)";
	case QQ_READ:
		return "Zqq read error (#4.3.0)";
	case QQ_CONFIG:
		return "Zqq unable to read configuration (#4.3.0)";
	case QQ_NETWORK:
		return "Zqq trouble making network connection (#4.3.0)";
	case QQ_CHDIR_HOME:
		return "Zqq trouble in home directory (#4.3.0)";
	case QQ_CHDIR_QUEUE:
	case QQ_PID:
	case QQ_MESS:
	case QQ_INTD:
	case QQ_TODO:
		return "Zqq trouble creating files in queue (#4.3.0)";
	case QQ_REFUSED_TEMP:
		return "Zmail server temporarily rejected message (#4.3.0)";
	case QQ_CONNECT_TIMEOUT:
		return "Zconnection to mail server timed out (#4.4.1)";
	case QQ_CONNECT_REFUSED:
		return "Zconnection to mail server rejected (#4.4.1)";
	case QQ_COMMUNICATION:
		return "Zcommunication with mail server failed (#4.4.2)";
	case QQ_BUG:
	case QQ_ENVELOPE:
		return "Zqq internal bug (#4.3.0)";
	case QQ_EXEC:
		return "Zunable to exec qq (#4.3.0)";
	default:
		break;
	}
	if (exit_code >= QQ_ADDRESS_TOO_LONG &&
	    exit_code <= CHILD_PERMANENT_MAX)
		return "Dqq permanent problem (#5.3.0)";
	return "Zqq temporary problem (#4.3.0)";
}

/* "Dtext": the letter goes, and nothing can break out of a reply line. */
static void
result_say(struct submit_result *out, const char *text, size_t len)
{
	size_t n = 0;

	out->permanent = text[0] == 'D';
	for (size_t i = 1; i < len && n < SUBMIT_CUSTOM_MAX; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ')
			c = ' ';
		if (n > 0 || c != ' ')
			out->text[n++] = c < CHILD_ASCII_END ? (char)c : '?';
	}
	while (n > 0 && out->text[n - 1] == ' ')
		n--;
	out->text[n] = '\0';
}

static void
result_say_text(struct submit_result *out, const char *text)
{
	result_say(out, text, strlen(text));
}

void
submit_child_result(
    const struct submit *s, int waited, int status, struct submit_result *out)
{
	int code = spawn_exit_code(status);

	*out = (struct submit_result){ .ok = false };
	if (waited == QE_TIMEOUT) {
		result_say_text(out, submit_exit_text(QQ_TIMEOUT));
	} else if (waited != 0) {
		result_say_text(out, "Zqq waitpid surprise (#4.3.0)");
	} else if (code == QQ_OK && !s->failed) {
		out->ok = true;
	} else if (code == QQ_OK) {
		/* Queued without having read everything: no success. */
		result_say_text(out, submit_exit_text(QQ_READ));
	} else {
		if (code == QQ_CUSTOM && s->custom_len > 2)
			result_say(out, s->custom, s->custom_len);
		if (out->text[0] == '\0')
			result_say_text(out, submit_exit_text(code));
	}
}
