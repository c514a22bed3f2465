/* The front's side of keepers and workers; see the header. */
#include "scan/pool.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "scan/keeper.h"
#include "scan/report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECOND_MS = 1000, WORKER_PAUSE_MS = 1000, NAME_BYTES = 64 };

static void
finish_job(struct pool *p, struct worker *w, char kind, struct strv text)
{
	void *owner = w->owner;

	w->owner = NULL;
	w->deadline_ms = 0;
	if (owner != NULL)
		p->answer(owner, kind, text);
}

/* Ends with its channel; the keeper kills it when the slot is given anew. */
static void
drop_worker(struct pool *p, struct worker *w, const char *why)
{
	bool busy = w->deadline_ms != 0;

	io_close(&w->channel);
	if (!busy)
		return;
	report("a scan was given up: %s", why);
	finish_job(p, w, WIRE_ERROR, strv_of(why));
}

static void
drop_keeper(struct pool *p, struct keeper_link *k)
{
	io_close(&k->channel);
	for (size_t i = 0; i < SCAN_WORKERS_MAX; i++)
		if (k->workers[i].channel >= 0)
			drop_worker(p, &k->workers[i], "scanner crashed");
	/* The others clean up when they see the end of the channel. */
	if (k->pid > 0 && k->state == KEEPER_LOADING)
		kill(k->pid, SIGKILL);
	k->state = KEEPER_NONE;
}

static void
make_worker(struct keeper_link *k, size_t slot)
{
	const char number = (char)(unsigned char)slot;
	struct worker *w = &k->workers[slot];
	int ends[2];

	*w = (struct worker){ .channel = -1, .made_ms = clock_mono_ms() };
	if (wire_pair(ends) != 0)
		return;
	/* Whoever has taken it over need not take its jobs. */
	if (io_set_nonblocking(ends[0], true) == 0 &&
	    wire_send(
		k->channel, WIRE_WORKER, strv_from(&number, 1), ends[1]) == 0)
		w->channel = ends[0];
	else
		io_close(&ends[0]);
	io_close(&ends[1]);
}

void
pool_init(
    struct pool *p, const struct scan_settings *settings, pool_answer answer)
{
	*p = (struct pool){
		.settings = settings, .answer = answer, .wants_load = true
	};
	for (size_t i = 0; i < KEEPERS_MAX; i++) {
		p->keepers[i].channel = -1;
		for (size_t j = 0; j < SCAN_WORKERS_MAX; j++)
			p->keepers[i].workers[j].channel = -1;
	}
}

void
pool_reload(struct pool *p)
{
	p->wants_load = true;
}

static struct keeper_link *
find_keeper(struct pool *p, enum keeper_state state)
{
	for (size_t i = 0; i < KEEPERS_MAX; i++)
		if (p->keepers[i].state == state)
			return &p->keepers[i];
	return NULL;
}

static const struct keeper_link *
serving(const struct pool *p)
{
	for (size_t i = 0; i < KEEPERS_MAX; i++)
		if (p->keepers[i].state == KEEPER_SERVING)
			return &p->keepers[i];
	return NULL;
}

const char *
pool_about(const struct pool *p)
{
	const struct keeper_link *k = serving(p);

	return k == NULL ? NULL : k->about;
}

size_t
pool_count(const struct pool *p, bool busy)
{
	const struct keeper_link *k = serving(p);
	size_t count = 0;

	for (size_t i = 0; k != NULL && i < SCAN_WORKERS_MAX; i++)
		if (k->workers[i].channel >= 0 &&
		    (k->workers[i].deadline_ms != 0) == busy)
			count++;
	return count;
}

/* When the database was changed last; a directory changes with its files. */
static struct timespec
database_time(const struct scan_settings *s)
{
	struct stat st;

	if (stat(s->database.data, &st) < 0)
		return (struct timespec){ .tv_sec = 0 };
	return st.st_mtim;
}

/* Starts a keeper that loads the database as it is now. */
static void
load(struct pool *p, struct keeper_link *k)
{
	pid_t front = getpid();
	int ends[2];

	p->load_at_ms = clock_deadline(RETRY_SECONDS); /* if it fails */
	if (wire_pair(ends) != 0)
		return;
	p->loaded = database_time(p->settings);
	k->pid = fork();
	if (k->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != front)
			_exit(1);
		keeper_run(ends[1], p->settings);
	}
	io_close(&ends[1]);
	if (k->pid < 0) {
		io_close(&ends[0]);
		return;
	}
	p->wants_load = false;
	p->load_at_ms = 0;
	k->channel = ends[0];
	k->state = KEEPER_LOADING;
	k->deadline_ms = clock_deadline(LOAD_SECONDS);
}

bool
pool_start(struct pool *p, int file, void *owner)
{
	struct keeper_link *k = find_keeper(p, KEEPER_SERVING);

	for (size_t i = 0; k != NULL && i < SCAN_WORKERS_MAX; i++) {
		struct worker *w = &k->workers[i];

		if (w->channel < 0 || w->deadline_ms != 0)
			continue;
		if (wire_send(w->channel, WIRE_JOB, STRV_EMPTY, file) != 0) {
			drop_worker(p, w, "");
			continue;
		}
		w->jobs++;
		w->owner = owner;
		w->deadline_ms = clock_deadline(p->settings->seconds);
		return true;
	}
	return false;
}

void
pool_forget(struct pool *p, const void *owner)
{
	for (size_t i = 0; i < KEEPERS_MAX; i++)
		for (size_t j = 0; j < SCAN_WORKERS_MAX; j++)
			if (p->keepers[i].workers[j].owner == owner)
				p->keepers[i].workers[j].owner = NULL;
}

static void
sooner(int64_t *wake_ms, int64_t at)
{
	if (at < *wake_ms)
		*wake_ms = at;
}

size_t
pool_poll(const struct pool *p, struct pollfd *out, int64_t *wake_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < KEEPERS_MAX; i++) {
		const struct keeper_link *k = &p->keepers[i];

		out[n++] =
		    (struct pollfd){ .fd = k->channel, .events = POLLIN };
		if (k->state == KEEPER_LOADING)
			sooner(wake_ms, k->deadline_ms);
		for (size_t j = 0; j < SCAN_WORKERS_MAX; j++) {
			const struct worker *w = &k->workers[j];

			out[n++] = (struct pollfd){ .fd = w->channel,
				.events = POLLIN };
			if (w->channel >= 0 && w->deadline_ms != 0)
				sooner(wake_ms, w->deadline_ms);
			if (w->channel < 0 && k->state == KEEPER_SERVING &&
			    j < (size_t)p->settings->workers)
				sooner(wake_ms, w->made_ms + WORKER_PAUSE_MS);
		}
	}
	if (p->wants_load)
		sooner(wake_ms, p->load_at_ms);
	sooner(wake_ms, p->check_at_ms);
	return n;
}

/* What a worker says; all but an answer to its job is its end. */
static void
hear_worker(struct pool *p, struct worker *w)
{
	struct wire_message m;
	int r = wire_receive(w->channel, &m);

	if (r == QE_SYS && errno == EAGAIN)
		return;
	if (r != 0 || w->deadline_ms == 0 ||
	    (m.kind != WIRE_CLEAN && m.kind != WIRE_FOUND &&
		m.kind != WIRE_ERROR)) {
		if (r == 0)
			io_close(&m.fd);
		drop_worker(p, w, "scanner crashed");
		return;
	}
	io_close(&m.fd);
	finish_job(p, w, m.kind, strv_from(m.text, m.len));
	if (w->jobs >= WORKER_JOBS) {
		io_close(&w->channel);
		w->made_ms = clock_mono_ms() - WORKER_PAUSE_MS;
	}
}

/* The new one serves, the old one finishes what it has begun. */
static void
promote(struct pool *p, struct keeper_link *k, struct strv about)
{
	struct keeper_link *old = find_keeper(p, KEEPER_SERVING);

	if (old != NULL)
		old->state = KEEPER_RETIRING;
	k->state = KEEPER_SERVING;
	memcpy(k->about, about.ptr, about.len);
	k->about[about.len] = '\0';
	for (size_t i = 0; i < (size_t)p->settings->workers; i++)
		make_worker(k, i);
	report("database %s loaded: %s signatures/version/date",
	    p->settings->database.data, k->about);
}

static void
hear_keeper(struct pool *p, struct keeper_link *k)
{
	struct wire_message m = { .fd = -1, .len = 0 };
	int r = wire_receive(k->channel, &m);
	bool first = find_keeper(p, KEEPER_SERVING) == NULL;

	io_close(&m.fd);
	if (r == 0 && m.kind == WIRE_READY && k->state == KEEPER_LOADING) {
		promote(p, k, strv_from(m.text, m.len));
		return;
	}
	if (r == 0 && m.kind == WIRE_FAILED)
		report("unable to load database %s: " STRV_FMT "%s",
		    p->settings->database.data,
		    STRV_ARG(strv_from(m.text, m.len)),
		    first ? "" : "; the old one stays in use");
	else
		report("a process with a database has ended unexpectedly");
	/* A database that is no good is tried again when it has changed. */
	if (first || k->state == KEEPER_SERVING)
		p->wants_load = true;
	p->load_at_ms = clock_deadline(
	    k->state == KEEPER_SERVING ? AGAIN_SECONDS : RETRY_SECONDS);
	drop_keeper(p, k);
}

static bool
is_idle(const struct keeper_link *k)
{
	for (size_t i = 0; i < SCAN_WORKERS_MAX; i++)
		if (k->workers[i].channel >= 0 &&
		    k->workers[i].deadline_ms != 0)
			return false;
	return true;
}

static void
tend_keeper(struct pool *p, struct keeper_link *k, int64_t now)
{
	for (size_t i = 0; i < SCAN_WORKERS_MAX; i++) {
		struct worker *w = &k->workers[i];

		if (w->channel >= 0 && w->deadline_ms != 0 &&
		    w->deadline_ms <= now) {
			drop_worker(p, w, "scan took too long");
			w->made_ms = now - WORKER_PAUSE_MS;
		}
		if (w->channel < 0 && k->state == KEEPER_SERVING &&
		    i < (size_t)p->settings->workers &&
		    w->made_ms + WORKER_PAUSE_MS <= now)
			make_worker(k, i);
	}
	if (k->state == KEEPER_RETIRING && is_idle(k))
		drop_keeper(p, k);
	if (k->state == KEEPER_LOADING && k->deadline_ms <= now) {
		report("database %s took too long to load",
		    p->settings->database.data);
		p->wants_load = true;
		p->load_at_ms = clock_deadline(RETRY_SECONDS);
		drop_keeper(p, k);
	}
}

/* Not the same as it was: somebody has brought a newer one. */
static void
look_for_newer(struct pool *p, int64_t now)
{
	struct timespec t = database_time(p->settings);

	if (p->check_at_ms > now)
		return;
	if (p->check_at_ms != 0 &&
	    (t.tv_sec != p->loaded.tv_sec || t.tv_nsec != p->loaded.tv_nsec))
		p->wants_load = true;
	p->check_at_ms = now + (int64_t)CHECK_SECONDS * SECOND_MS;
}

void
pool_run(struct pool *p, const struct pollfd *polled)
{
	int64_t now = clock_mono_ms();
	struct keeper_link *spare;
	size_t n = 0;

	for (size_t i = 0; i < KEEPERS_MAX; i++) {
		struct keeper_link *k = &p->keepers[i];
		bool heard = polled[n].fd >= 0 && polled[n].revents != 0;

		n++;
		for (size_t j = 0; j < SCAN_WORKERS_MAX; j++, n++)
			if (polled[n].fd >= 0 && polled[n].revents != 0 &&
			    k->workers[j].channel == polled[n].fd)
				hear_worker(p, &k->workers[j]);
		if (heard && k->channel >= 0)
			hear_keeper(p, k);
		tend_keeper(p, k, now);
	}
	look_for_newer(p, now);
	spare = find_keeper(p, KEEPER_NONE);
	if (p->wants_load && p->load_at_ms <= now && spare != NULL &&
	    find_keeper(p, KEEPER_LOADING) == NULL &&
	    find_keeper(p, KEEPER_RETIRING) == NULL)
		load(p, spare);
}

void
pool_reap(struct pool *p)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		char name[NAME_BYTES];

		for (size_t i = 0; i < KEEPERS_MAX; i++)
			if (p->keepers[i].pid == pid)
				p->keepers[i].pid = 0;
		snprintf(name, sizeof(name), WORKER_OF_KEEPER, (long)pid);
		keeper_clean(name);
	}
}
