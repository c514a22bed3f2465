/*
 * Bounces on their way into the queue.  Each is sent by a child of its own,
 * so that the main loop never waits for qmail-queue; a few at a time, the
 * others wait for their turn.
 *
 * The child says the "qp" number through a pipe; its exit code tells what
 * went wrong.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "base/spawn.h"
#include "send/send.h"
#include "spool/submit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
	INJECT_SECONDS = 3600, /* then the child gives up */
	INJECT_BUFFER = 65536,
	INJECT_PIPE_FD = 3,
	INJECT_OK = 0,
	INJECT_NO_START = 1,
	INJECT_TROUBLE = 2
};

/* 0 or QE_SYS. */
static int
copy_file(struct submit *q, const char *path)
{
	char buffer[INJECT_BUFFER];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got;

	if (fd < 0)
		return QE_SYS;
	while ((got = io_read(fd, buffer, sizeof(buffer))) > 0)
		submit_message(q, strv_from(buffer, (size_t)got));
	io_close(&fd);
	return got < 0 ? QE_SYS : 0;
}

static int
compose(
    struct send *s, struct message *m, const struct bounce *b, struct submit *q)
{
	struct strv sender = message_sender(m);
	char path[QUEUE_PATH_MAX];
	struct buf text = BUF_INIT;
	size_t head;

	bounce_add_head(&text, &s->config, b, s->now);
	head = text.len;
	bounce_add_middle(&text, b, sender);
	if (text.err != 0)
		return text.err;
	submit_message(q, strv_head(buf_view(&text), head));
	message_path(s, m, QUEUE_BOUNCE, path);
	if (copy_file(q, path) != 0)
		return QE_SYS;
	submit_message(q, strv_skip(buf_view(&text), head));
	message_path(s, m, QUEUE_MESS, path);
	if (copy_file(q, path) != 0)
		return QE_SYS;
	submit_sender(q, buf_view(&b->sender));
	submit_recipient(q, buf_view(&b->recipient));
	return 0;
}

static int
inject(struct send *s, struct message *m)
{
	struct submit_result result;
	struct submit q;
	struct bounce b;
	int64_t deadline = clock_deadline(INJECT_SECONDS);
	uint64_t qp;

	if (bounce_address(&b, &s->config, message_sender(m)) != 0 ||
	    submit_open(&q) != 0)
		return INJECT_NO_START;
	q.deadline_ms = deadline;
	if (compose(s, m, &b, &q) != 0) {
		submit_abort(&q);
		return INJECT_TROUBLE;
	}
	qp = (uint64_t)q.pid;
	submit_close(&q, deadline, &result);
	if (!result.ok || io_write_all(INJECT_PIPE_FD, &qp, sizeof(qp)) != 0)
		return INJECT_TROUBLE;
	return INJECT_OK;
}

/*
 * The child keeps nothing of ours but its pipe: a lock or a spawner's pipe in
 * its hands would outlive us.
 */
static _Noreturn void
child(struct send *s, struct message *m, int pipe_fd)
{
	/* Who looks for qmail-send to signal it may find this child, too. */
	static const int ignored[] = { SIGHUP, SIGALRM, SIGTERM };
	sigset_t none;
	int null;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(null, 2) < 0 ||
	    (pipe_fd != INJECT_PIPE_FD && dup2(pipe_fd, INJECT_PIPE_FD) < 0))
		_exit(INJECT_NO_START);
	fcntl(INJECT_PIPE_FD, F_SETFD, FD_CLOEXEC);
	if (close_range(INJECT_PIPE_FD + 1, ~0U, 0) < 0)
		_exit(INJECT_NO_START);
	_exit(inject(s, m));
}

/* 0 or QE_SYS. */
static int
start(struct send *s, struct message *m, struct injector *i)
{
	int fds[2];

	if (io_pipe(fds) != 0)
		return QE_SYS;
	slog_flush(&s->log); /* or the child would write it, too */
	i->pid = fork();
	if (i->pid == 0)
		child(s, m, fds[1]);
	io_close(&fds[1]);
	if (i->pid < 0 || io_set_nonblocking(fds[0], true) != 0) {
		io_close(&fds[0]);
		return QE_SYS;
	}
	i->fd = fds[0];
	i->id = m->id;
	i->have = 0;
	return 0;
}

static struct injector *
find_free(struct send *s)
{
	for (int i = 0; i < INJECTORS; i++)
		if (s->injectors[i].fd < 0)
			return &s->injectors[i];
	return NULL;
}

static void
say_no_start(struct send *s)
{
	slog_line(
	    &s->log, "warning: unable to start qmail-queue, will try later");
}

void
inject_begin(struct send *s, struct message *m)
{
	struct injector *i = find_free(s);

	if (i == NULL) {
		while (id_fifo_add(&s->inject_waiting, m->id) != 0)
			send_sleep_nomem(s);
	} else if (start(s, m, i) != 0) {
		say_no_start(s);
		message_bounced(s, m->id, false, 0);
	}
}

static void
begin_waiting(struct send *s)
{
	uint64_t id;

	while (find_free(s) != NULL && id_fifo_take(&s->inject_waiting, &id)) {
		struct message *m = message_find(s, id);

		if (m != NULL && m->step == STEP_INJECTING)
			inject_begin(s, m);
	}
}

static void
ended(struct send *s, struct injector *i)
{
	uint64_t id = i->id, qp = 0;
	int status = 0;
	int code = spawn_wait(i->pid, &status) == 0 ? spawn_exit_code(status)
						    : INJECT_TROUBLE;

	io_close(&i->fd);
	if (i->have == sizeof(qp))
		memcpy(&qp, i->qp, sizeof(qp));
	else if (code == INJECT_OK)
		code = INJECT_TROUBLE;
	if (code == INJECT_NO_START)
		say_no_start(s);
	else if (code != INJECT_OK)
		slog_line(&s->log, "warning: trouble injecting bounce message, "
				   "will try later");
	message_bounced(s, id, code == INJECT_OK, qp);
	begin_waiting(s);
}

void
inject_read(struct send *s, struct injector *i)
{
	char extra;
	ssize_t got = i->have < sizeof(i->qp) ? io_read(i->fd, i->qp + i->have,
						    sizeof(i->qp) - i->have)
					      : io_read(i->fd, &extra, 1);

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (got <= 0)
		ended(s, i);
	else if (i->have < sizeof(i->qp))
		i->have += (size_t)got;
}

bool
inject_is_idle(const struct send *s)
{
	for (int i = 0; i < INJECTORS; i++)
		if (s->injectors[i].fd >= 0)
			return false;
	return s->inject_waiting.count == 0;
}
