/*
 * qmail-send(8): delivers what is in the queue.
 *
 * User: qmails.  Files: owns info, local, remote, bounce and lock/sendmutex.
 * Descriptors 0 to 6 come from qmail-start: log, two to qmail-lspawn, two to
 * qmail-rspawn, two to qmail-clean.  Starts qmail-todo, and qmail-queue for
 * bounces.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "send/send.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FD_LOG = 0, FD_LOCAL = 1, FD_REMOTE = 3, FD_CLEAN = 5, FD_COUNT = 7 };
enum {
	STORE_MS_MAX = 1000, /* for times at the end */
	STORE_LOOK = 64      /* times between looks at the clock */
};

static volatile sig_atomic_t got_term, got_alarm, got_hup;

static void
on_signal(int sig)
{
	if (sig == SIGTERM)
		got_term = 1;
	else if (sig == SIGALRM)
		got_alarm = 1;
	else
		got_hup = 1;
}

/* They come while ppoll(2) waits and at no other time. */
static void
catch_signals(void)
{
	static const int caught[] = { SIGTERM, SIGALRM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		sigaddset(&set, caught[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		sigaction(caught[i], &action, NULL);
	signal(SIGCHLD, SIG_DFL);
}

void
send_sleep_nomem(struct send *s)
{
	slog_line(&s->log, "alert: out of memory, sleeping...");
	slog_flush(&s->log);
	clock_sleep_ms(NOMEM_SLEEP * 1000);
}

void
send_status(struct send *s)
{
	const struct lane *local = &s->lanes[CHANNEL_LOCAL];
	const struct lane *remote = &s->lanes[CHANNEL_REMOTE];

	slog_line(&s->log, "status: local %u/%u remote %u/%u%s", local->used,
	    local->concurrency, remote->used, remote->concurrency,
	    s->exiting ? " exitasap" : "");
}

void
send_lose_helper(struct send *s, const char *which)
{
	slog_line(&s->log, "alert: oh no! lost %s connection! dying...", which);
	s->exit_wanted = true;
}

static _Noreturn void
cannot_start(struct send *s, const char *why)
{
	slog_line(&s->log, "alert: cannot start: %s", why);
	slog_flush(&s->log);
	exit(EX_TEMPORARY);
}

/* Each pass over a list and each spawner needs descriptors. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void
lock_queue(struct send *s)
{
	s->lock_fd = open("lock/sendmutex", O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->lock_fd < 0)
		cannot_start(s, "unable to open mutex");
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		cannot_start(s, "qmail-send is already running");
}

static void
start(struct send *s)
{
	slog_init(&s->log, FD_LOG);
	for (int fd = 0; fd < FD_COUNT; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	for (int i = 0; i < INJECTORS; i++)
		s->injectors[i].fd = -1;
	if (chdir(program_home()) < 0)
		cannot_start(s, "unable to switch to home directory");
	if (config_read(s) != 0)
		cannot_start(s, "unable to read controls");
	s->queue_fd = open("queue", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->queue_fd < 0 || fchdir(s->queue_fd) < 0 ||
	    queue_layout_read(&s->layout) != 0)
		cannot_start(s, "unable to switch to queue directory");
	lock_queue(s);
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		int fd = c == CHANNEL_LOCAL ? FD_LOCAL : FD_REMOTE;

		if (lane_open(s, (enum channel)c, fd, fd + 1) != 0)
			cannot_start(s, "hath the daemon spawn no fire?");
	}
	config_apply_limits(s);
	cleaner_open(&s->cleaner, FD_CLEAN, FD_CLEAN + 1);
	if (io_set_nonblocking(FD_CLEAN, true) != 0 ||
	    io_set_nonblocking(FD_CLEAN + 1, true) != 0 ||
	    todo_client_start(s) != 0)
		cannot_start(s, "unable to start qmail-todo");
}

/* A held channel leaves time for records, and qmail-qread shows them. */
int64_t
send_fresh_age_max(const struct send *s)
{
	for (int c = 0; c < CHANNEL_COUNT; c++)
		if (s->lanes[c].concurrency == 0)
			return FRESH_AGE_HELD;
	return FRESH_AGE_MAX;
}

/* Fresh messages that have waited long get their records after all. */
static void
settle_old(struct send *s)
{
	int64_t max = send_fresh_age_max(s);
	struct message *m = s->messages.oldest;

	if (s->now == s->aged_at)
		return;
	s->aged_at = s->now;
	while (m != NULL && s->now - m->birth > max) {
		struct message *newer = m->newer;

		m->wants_records = true;
		message_settle(s, m);
		m = newer;
	}
}

static void
expedite(struct send *s)
{
	for (int c = 0; c < CHANNEL_COUNT; c++)
		entry_heap_expedite(&s->lanes[c].schedule.retries, s->now);
	entry_heap_expedite(&s->later, s->now);
	s->loader.expedite = s->loader.running;
	s->expedited = true;
}

/* Nothing new is started; what fresh messages have achieved is written. */
static void
begin_exit(struct send *s)
{
	struct message *m, *newer;

	s->exiting = true;
	todo_client_tell(s, LINK_STOP, 0);
	for (int c = 0; c < CHANNEL_COUNT; c++)
		lane_cut(s, (enum channel)c);
	for (m = s->messages.oldest; m != NULL; m = newer) {
		newer = m->newer;
		message_settle(s, m);
	}
}

static void
handle_signals(struct send *s)
{
	if (got_hup) {
		got_hup = 0;
		config_reread(s);
	}
	if (got_alarm) {
		got_alarm = 0;
		expedite(s);
	}
	if ((got_term || s->exit_wanted) && !s->exiting)
		begin_exit(s);
}

/* A failure shows when the other direction ends. */
static void
flush_all(struct send *s)
{
	slog_flush(&s->log);
	if (!s->todo.lost && outpipe_flush(&s->todo.out) != 0)
		s->todo.out.sent = s->todo.out.data.len;
	if (!s->cleaner.lost && outpipe_flush(&s->cleaner.requests) != 0)
		s->cleaner.requests.sent = s->cleaner.requests.data.len;
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		struct outpipe *out = &s->lanes[c].requests;

		if (!s->lanes[c].lost && outpipe_flush(out) != 0)
			out->sent = out->data.len;
	}
}

/* True if nothing is under way that we can wait for. */
static bool
is_idle(const struct send *s)
{
	for (int c = 0; c < CHANNEL_COUNT; c++)
		if (!s->lanes[c].lost && s->lanes[c].used > 0)
			return false;
	return (s->cleaner.lost || s->cleaner.count == 0) &&
	       (s->todo.lost || s->todo.writing == 0) && inject_is_idle(s);
}

/* What an administrator has released: one look at all for any number. */
static void
expedite_some(struct send *s)
{
	if (s->due.count == 0)
		return;
	for (int c = 0; c < CHANNEL_COUNT; c++)
		entry_heap_expedite_some(
		    &s->lanes[c].schedule.retries, s->now, &s->due);
	entry_heap_expedite_some(&s->later, s->now, &s->due);
	idset_free(&s->due);
}

static void
turn(struct send *s)
{
	handle_signals(s);
	expedite_some(s);
	loader_turn(s);
	settle_due(s);
	settle_old(s);
	for (int c = 0; c < CHANNEL_COUNT; c++)
		lane_fill(s, (enum channel)c);
	flush_all(s);
}

/* False if there was no time for all. */
static bool
store_heap(struct send *s, const struct lane *lane,
    const struct entry_heap *heap, int64_t end_ms)
{
	char path[QUEUE_PATH_MAX];

	for (size_t i = 0; i < heap->count; i++) {
		const struct timespec when = { .tv_sec = heap->items[i].when };
		const struct timespec times[2] = { when, when };

		if (i % STORE_LOOK == 0 && clock_mono_ms() >= end_ms)
			return false;
		queue_path(&s->layout, lane->area, heap->items[i].id, path);
		if (utimensat(AT_FDCWD, path, times, 0) < 0 && errno != ENOENT)
			slog_warn_file(&s->log, "unable to utime", path,
			    "; message will be retried too soon");
	}
	return true;
}

static bool
store_lane(struct send *s, const struct lane *lane, int64_t end_ms)
{
	bool done = store_heap(s, lane, &lane->schedule.retries, end_ms);

	for (int i = 0; done && lane->shares != NULL && i < SHARE_BUCKETS; i++)
		for (const struct share *share = lane->shares->buckets[i];
		     done && share != NULL; share = share->next)
			done = store_heap(
			    s, lane, &share->waiting.retries, end_ms);
	return done;
}

/*
 * Times of attempts are on disk since the last one, but for those that ALRM
 * has moved.  An end that lets others wait is worse than a retry at its old
 * time.
 */
static void
store_times(struct send *s)
{
	int64_t end_ms = clock_mono_ms() + STORE_MS_MAX;

	for (int c = 0; c < CHANNEL_COUNT; c++)
		if (!store_lane(s, &s->lanes[c], end_ms)) {
			slog_line(&s->log, "warning: no time to store all that "
					   "ALRM has made due; the rest is "
					   "tried at its old time");
			return;
		}
}

int
main(void)
{
	static const struct program program = { "qmail-send",
		PROGRAM_FD0 | PROGRAM_FD1, 077 };
	struct send send = { .exiting = false };
	struct send *s = &send;

	program_begin(&program);
	catch_signals();
	raise_descriptor_limit();
	start(s);
	s->now = clock_wall();
	loader_start(s);
	send_status(s);
	for (;;) {
		s->now = clock_wall();
		turn(s);
		if (s->exiting && is_idle(s))
			break;
		events_wait(s);
	}
	if (s->expedited)
		store_times(s);
	todo_client_end(s);
	slog_line(&s->log, "status: exiting");
	slog_flush(&s->log);
	return EX_SUCCESS;
}
