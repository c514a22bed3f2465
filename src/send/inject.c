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
#include "send/dsn.h"
#include "spool/submit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	INJECT_SECONDS = 3600, /* then the child gives up */
	INJECT_PIPE_FD = 3,
	INJECT_OK = 0,
	INJECT_NO_START = 1,
	INJECT_TROUBLE = 2
};

/* A file of the queue in memory; an empty one is an empty view. */
struct mapping {
	void *at;
	struct strv bytes;
};

static int
map_file(const struct send *s, const struct message *m, enum queue_area area,
    struct mapping *out)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;
	int fd, r = QE_SYS;

	*out = (struct mapping){ .at = MAP_FAILED, .bytes = STRV_EMPTY };
	message_path(s, m, area, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return QE_SYS;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		size_t size = (size_t)st.st_size;

		if (size > 0)
			out->at =
			    mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (out->at != MAP_FAILED)
			out->bytes = strv_from(out->at, size);
		r = size == 0 || out->at != MAP_FAILED ? 0 : QE_SYS;
	}
	io_close(&fd);
	return r;
}

/* Sends what is in the buffer and empties it. */
static int
hand_over(struct submit *q, struct buf *text)
{
	int r = text->err;

	if (r == 0)
		submit_message(q, buf_view(text));
	buf_reset(text);
	return r;
}

static int
compose_qsbmf(struct send *s, struct message *m, const struct bounce *b,
    struct strv paragraphs, struct strv original, struct submit *q)
{
	struct buf text = BUF_INIT;
	int r;

	bounce_add_head(&text, &s->config, b, s->now);
	r = hand_over(q, &text);
	submit_message(q, paragraphs);
	bounce_add_middle(&text, b, message_sender(m));
	r = r == 0 ? hand_over(q, &text) : r;
	submit_message(q, original);
	return r;
}

static int
compose_dsn(struct send *s, struct message *m, const struct bounce *b,
    struct strv paragraphs, struct strv original, struct submit *q)
{
	struct buf text = BUF_INIT;
	struct strv rest = paragraphs;
	struct dsn d;
	int r = dsn_init(&d, m->id, s->now);

	if (r != 0)
		return r;
	d.eight_bit =
	    dsn_has_eight_bit(paragraphs) || dsn_has_eight_bit(original);
	dsn_add_head(&text, &d, &s->config, b, s->now);
	r = hand_over(q, &text);
	submit_message(q, paragraphs);
	dsn_add_status(&text, &d, &s->config, m->birth);
	while (r == 0 && dsn_add_recipient(&text, &rest))
		r = hand_over(q, &text);
	dsn_add_message(&text, &d, message_sender(m));
	r = r == 0 ? hand_over(q, &text) : r;
	submit_message(q, original);
	dsn_add_end(&text, &d);
	return r == 0 ? hand_over(q, &text) : r;
}

/* A child calls it and ends soon: mappings and buffers end with it. */
static int
compose(
    struct send *s, struct message *m, const struct bounce *b, struct submit *q)
{
	struct mapping paragraphs, original;
	int r = map_file(s, m, QUEUE_BOUNCE, &paragraphs);

	if (r == 0)
		r = map_file(s, m, QUEUE_MESS, &original);
	if (r == 0)
		r = (s->config.is_dsn ? compose_dsn : compose_qsbmf)(
		    s, m, b, paragraphs.bytes, original.bytes, q);
	if (r != 0)
		return r;
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
	    submit_open_group(&q) != 0)
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
