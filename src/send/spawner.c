/*
 * The spawners' loop: requests in, children, reports out.
 *
 * SIGCHLD is blocked except while waiting, so it is never missed and never
 * interrupts anything else.  A delivery ends with its child: a background
 * process that keeps the child's pipe open does not keep the slot.
 */
#include "send/spawner.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "send/spawner_job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	READ_BYTES = 65536,
	POLL_INPUT = 0,
	POLL_OUTPUT = 1,
	POLL_SIDE = 2,
	POLL_FIXED = 3,
	FDS_PER_JOB = 2, /* the child's words, and for a while the message */
	FDS_SPARE = 32
};

static volatile sig_atomic_t child_ended;

static void
note_child(int signal_number)
{
	(void)signal_number;
	child_ended = 1;
}

/* Opens the message: NULL, or what is wrong. */
static const char *
open_message(const struct spawner *s, const char *path, int *fd)
{
	struct stat st;

	/* Nothing but a file of the queue: no link, no waiting for a FIFO. */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (*fd < 0)
		return "Zqmail-spawn unable to open message. (#4.3.0)\n";
	if (fstat(*fd, &st) < 0)
		return "Zqmail-spawn unable to fstat message. (#4.3.0)\n";
	if (!S_ISREG(st.st_mode))
		return "ZSorry, message has wrong type. (#4.3.5)\n";
	if (st.st_uid != s->queue_owner)
		return "ZSorry, message has wrong owner. (#4.3.5)\n";
	return NULL;
}

static void
swap_bufs(struct buf *a, struct buf *b)
{
	struct buf old = *a;

	*a = *b;
	*b = old;
}

/* A request that is fine in itself gets its slot. */
static void
begin_job(struct spawner *s, struct spawner_job *job)
{
	const char *id = buf_cstr(&s->request.id);
	const char *flaw = NULL;
	int fd = -1;

	if (id == NULL || buf_cstr(&s->request.sender) == NULL ||
	    buf_cstr(&s->request.recipient) == NULL)
		flaw = "Zqmail-spawn out of memory. (#4.3.0)\n";
	if (flaw == NULL)
		flaw = open_message(s, id, &fd);
	if (flaw != NULL) {
		io_close(&fd);
		spawner_add_report(s, s->request.number, flaw);
		return;
	}
	swap_bufs(&job->sender, &s->request.sender);
	swap_bufs(&job->recipient, &s->request.recipient);
	job->message_fd = fd;
	job->serial = ++s->serial;
	job->state = JOB_WAITING;
	s->busy++;
	s->role->begin(s, job);
}

static void
take_request(struct spawner *s)
{
	const struct spawner_request *r = &s->request;
	const char *flaw = spawner_request_flaw(r);

	if (r->number >= s->slots)
		flaw = "ZInternal error: delnum too big. (#4.3.5)\n";
	else if (s->jobs[r->number].state != JOB_FREE)
		flaw = "ZInternal error: delnum in use. (#4.3.5)\n";
	if (flaw == NULL)
		begin_job(s, &s->jobs[r->number]);
	else
		spawner_add_report(s, r->number, flaw);
	spawner_request_reset(&s->request);
}

static void
read_requests(struct spawner *s)
{
	char block[READ_BYTES];
	ssize_t got = io_read(0, block, sizeof(block));
	struct strv rest;

	if (got <= 0) {
		s->input_ended = got == 0 || errno != EAGAIN;
		return;
	}
	rest = strv_from(block, (size_t)got);
	while (spawner_request_feed(&s->request, &rest))
		take_request(s);
}

/*
 * A pipe that polls writable takes this much without waiting.  Without a
 * reader nobody wants further deliveries.
 */
static void
write_reports(struct spawner *s)
{
	size_t n = s->reports.len < PIPE_BUF ? s->reports.len : PIPE_BUF;
	ssize_t did = write(1, s->reports.data, n);

	if (did >= 0) {
		buf_consume(&s->reports, (size_t)did);
	} else if (errno != EAGAIN && errno != EINTR && errno != ENOMEM) {
		s->reader_gone = s->input_ended = true;
		buf_reset(&s->reports);
	}
}

static struct spawner_job *
find_child(struct spawner *s, pid_t pid)
{
	for (unsigned i = 0, seen = 0; i < s->slots && seen < s->running; i++) {
		seen += s->jobs[i].state == JOB_RUNNING;
		if (s->jobs[i].state == JOB_RUNNING && s->jobs[i].pid == pid)
			return &s->jobs[i];
	}
	return NULL;
}

static void
reap_children(struct spawner *s)
{
	int status;
	pid_t pid;

	child_ended = 0;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct spawner_job *job = find_child(s, pid);

		if (job != NULL)
			spawner_job_ended(s, job, status);
		else if (s->role->reaped != NULL)
			s->role->reaped(s, pid);
	}
}

/* What to wait for; the jobs' descriptors follow in the order of the slots. */
static nfds_t
fill_poll(struct spawner *s)
{
	const struct spawner_role *role = s->role;
	bool reading =
	    !s->input_ended && s->reports.len < SPAWNER_REPORTS_PAUSE;
	struct pollfd *p = s->polled;
	nfds_t n = POLL_FIXED;

	p[POLL_INPUT] =
	    (struct pollfd){ .fd = reading ? 0 : -1, .events = POLLIN };
	p[POLL_OUTPUT] = (struct pollfd){ .fd = s->reports.len > 0 ? 1 : -1,
		.events = POLLOUT };
	p[POLL_SIDE] =
	    (struct pollfd){ .fd =
				 role->side_fd == NULL ? -1 : role->side_fd(s),
		    .events = POLLIN };
	for (unsigned i = 0, seen = 0; i < s->slots && seen < s->running; i++) {
		const struct spawner_job *job = &s->jobs[i];

		seen += job->state == JOB_RUNNING;
		if (job->state == JOB_RUNNING && job->output_fd >= 0)
			p[n++] = (struct pollfd){ .fd = job->output_fd,
				.events = POLLIN };
	}
	return n;
}

/* Walks the jobs as fill_poll did; new ones appear only afterwards. */
static void
take_outputs(struct spawner *s, nfds_t n)
{
	nfds_t at = POLL_FIXED;

	for (unsigned i = 0; i < s->slots && at < n; i++) {
		struct spawner_job *job = &s->jobs[i];

		if (job->state != JOB_RUNNING ||
		    job->output_fd != s->polled[at].fd)
			continue;
		if (s->polled[at++].revents != 0)
			spawner_take_output(s, job);
	}
}

/*
 * ppoll(2) tells of no signal where a descriptor is ready: without this, users'
 * programs that never stop talking would keep every other delivery from its
 * end.
 */
static void
let_signals_in(const sigset_t *none)
{
	const struct timespec at_once = { 0 };

	(void)ppoll(NULL, 0, &at_once, none);
}

static void
wait_and_serve(struct spawner *s, int64_t until_ms)
{
	struct timespec timeout, *limit = NULL;
	nfds_t n = fill_poll(s);
	sigset_t none;

	if (until_ms != IO_FOREVER) {
		int64_t left = until_ms - clock_mono_ms();

		left = left < 0 ? 0 : left;
		timeout = (struct timespec){ .tv_sec = (time_t)(left / 1000),
			.tv_nsec = (long)(left % 1000) * 1000000 };
		limit = &timeout;
	}
	sigemptyset(&none);
	if (ppoll(s->polled, n, limit, &none) < 0) {
		if (errno != EINTR)
			die_errno(EX_TEMPORARY, "unable to wait");
	} else {
		let_signals_in(&none);
		take_outputs(s, n);
		if (s->polled[POLL_OUTPUT].revents != 0)
			write_reports(s);
		if (s->polled[POLL_SIDE].revents != 0)
			s->role->side_ready(s);
		if (s->polled[POLL_INPUT].revents != 0)
			read_requests(s);
	}
	if (child_ended != 0)
		reap_children(s);
	if (s->reader_gone)
		buf_reset(&s->reports);
	/* Without its report a delivery would never end for qmail-send. */
	if (s->reports.err != 0)
		die_nomem();
}

static void
catch_children(void)
{
	const struct sigaction action = { .sa_handler = note_child,
		.sa_flags = SA_NOCLDSTOP };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
	    sigaction(SIGCHLD, &action, NULL) < 0)
		die_errno(EX_TEMPORARY, "unable to catch signals");
}

/* Only for more deliveries than any usual limit allows; trying is enough. */
static void
raise_descriptors(unsigned slots)
{
	rlim_t need = (rlim_t)slots * FDS_PER_JOB + FDS_SPARE;
	struct rlimit limit;

	if (slots <= SPAWNER_SLOTS_CLASSIC ||
	    getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
		return;
	limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		warn("unable to raise the number of open files");
}

static void
enter_queue(struct spawner *s)
{
	struct stat st;

	if (stat("queue", &st) < 0 || chdir("queue/mess") < 0)
		die_errno(EX_TEMPORARY, "unable to switch to queue/mess");
	s->queue_owner = st.st_uid;
}

static void
greet(struct spawner *s)
{
	if (s->request.number_bytes > 1)
		buf_add_char(&s->reports, '\0');
	spawner_add_number(s, s->slots);
}

static void
allocate(struct spawner *s, unsigned slots)
{
	if (slots < SPAWNER_SLOTS_CLASSIC)
		slots = SPAWNER_SLOTS_CLASSIC;
	if (slots > SPAWNER_SLOTS_MAX)
		slots = SPAWNER_SLOTS_MAX;
	s->slots = slots;
	s->jobs = calloc(slots, sizeof(*s->jobs));
	s->polled = calloc((size_t)slots + POLL_FIXED, sizeof(*s->polled));
	if (s->jobs == NULL || s->polled == NULL)
		die_nomem();
	for (unsigned i = 0; i < slots; i++)
		s->jobs[i] = (struct spawner_job){ .message_fd = -1,
			.output_fd = -1,
			.sender = BUF_LIMIT(SPAWNER_ADDRESS_MAX),
			.recipient = BUF_LIMIT(SPAWNER_ADDRESS_MAX) };
	spawner_request_init(
	    &s->request, slots > SPAWNER_SLOTS_CLASSIC ? 2 : 1);
}

void
spawner_serve(struct spawner *s, const struct spawner_role *role, void *context,
    unsigned slots)
{
	*s = (struct spawner){ .role = role, .context = context };
	allocate(s, slots);
	s->reports.max =
	    SPAWNER_REPORTS_MAX + (size_t)s->slots * SPAWNER_REPORT_ROOM;
	enter_queue(s);
	catch_children();
	raise_descriptors(s->slots);
	greet(s);
	while (!s->input_ended || s->busy > 0 || s->reports.len > 0)
		wait_and_serve(
		    s, role->tick == NULL ? IO_FOREVER : role->tick(s));
}
