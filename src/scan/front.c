/* The loop of qmail-scand; see the header. */
#include "scan/front.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "scan/client.h"
#include "scan/engine.h"
#include "scan/pool.h"
#include "scan/report.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAUSE_MS = 200, STATS_ABOUT = 200 };

struct front {
	int listener, signals;
	const struct scan_settings *settings;
	uint64_t messages;    /* so far */
	int64_t accept_at_ms; /* not before: descriptors were short */
	struct client clients[CLIENTS_MAX];
	struct pool pool;
	struct pollfd polled[2 + CLIENTS_MAX + POOL_FDS];
};

/* What a worker says of a message, in clamd's words. */
static void
answer_scan(void *owner, char kind, struct strv text)
{
	struct client *c = owner;
	struct buf reply = BUF_LIMIT(CLAMD_REPLY_MAX);

	buf_add_str(&reply, "stream: ");
	if (kind == WIRE_CLEAN) {
		buf_add_str(&reply, "OK");
	} else {
		clamd_add_name(&reply, text);
		buf_add_str(&reply, kind == WIRE_FOUND ? " FOUND" : " ERROR");
		report(STRV_FMT, STRV_ARG(buf_view(&reply)));
	}
	client_answer(c, buf_view(&reply));
	buf_free(&reply);
}

/* "ClamAV 1.4.6/27000/Fri Nov 27 ...", as far as there is a database. */
static void
answer_version(struct front *f, struct client *c)
{
	struct buf reply = BUF_LIMIT(CLAMD_REPLY_MAX);
	const char *about = pool_about(&f->pool);

	buf_addf(&reply, "ClamAV %s", engine_library());
	if (about != NULL && strchr(about, '/') != NULL)
		buf_add_str(&reply, strchr(about, '/'));
	client_answer(c, buf_view(&reply));
	buf_free(&reply);
}

static size_t
count_clients(const struct front *f, enum client_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (f->clients[i].state == state)
			n++;
	return n;
}

static void
answer_stats(struct front *f, struct client *c)
{
	struct buf reply = BUF_LIMIT(CLAMD_REPLY_MAX);
	const char *about = pool_about(&f->pool);
	size_t busy = pool_count(&f->pool, true);
	size_t idle = pool_count(&f->pool, false);

	buf_addf(&reply,
	    "POOLS: 1\n\nSTATE: %s PRIMARY\n"
	    "THREADS: live %zu  idle %zu max %lld idle-timeout 0\n"
	    "QUEUE: %zu items\n"
	    "STREAMS: %zu coming, %llu so far\n"
	    "DATABASE: %.*s\nEND",
	    about == NULL ? "NOT LOADED" : "VALID", busy + idle, idle,
	    (long long)f->settings->workers,
	    count_clients(f, CLIENT_WAITING) + busy,
	    count_clients(f, CLIENT_STREAM), (unsigned long long)f->messages,
	    STATS_ABOUT, about == NULL ? "" : about);
	client_answer(c, buf_view(&reply));
	buf_free(&reply);
}

static void
obey(struct front *f, struct client *c, enum clamd_command command)
{
	switch (command) {
	case CLAMD_PING:
		client_answer(c, STRV("PONG"));
		break;
	case CLAMD_VERSION:
		answer_version(f, c);
		break;
	case CLAMD_STATS:
		answer_stats(f, c);
		break;
	case CLAMD_RELOAD:
		pool_reload(&f->pool);
		client_answer(c, STRV("RELOADING"));
		break;
	case CLAMD_INSTREAM:
		c->number = f->messages++;
		break;
	case CLAMD_UNKNOWN:
		break;
	}
}

static void
accept_clients(struct front *f)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		int fd;

		if (f->clients[i].state != CLIENT_NONE)
			continue;
		fd = accept4(
		    f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR &&
			    errno != ECONNABORTED)
				f->accept_at_ms = clock_mono_ms() + PAUSE_MS;
			return;
		}
		client_begin(&f->clients[i], fd, f->settings->message_max);
	}
}

/* The oldest message first; those that wait have a worker's time twice. */
static void
start_scans(struct front *f)
{
	for (;;) {
		struct client *next = NULL;

		for (size_t i = 0; i < CLIENTS_MAX; i++) {
			struct client *c = &f->clients[i];

			if (c->state == CLIENT_WAITING &&
			    (next == NULL || c->number < next->number))
				next = c;
		}
		if (next == NULL || !pool_start(&f->pool, next->file, next))
			return;
		io_close(&next->file);
		next->state = CLIENT_SCANNED;
		next->deadline_ms = INT64_MAX; /* the pool has one */
	}
}

static void
tend_client(
    struct front *f, struct client *c, const struct pollfd *p, int64_t now)
{
	enum client_state before = c->state;

	if (p->fd >= 0 && p->fd == c->fd && p->revents != 0) {
		if (c->state == CLIENT_WAITING || c->state == CLIENT_SCANNED)
			client_end(c); /* it has gone */
		else
			obey(f, c, client_hear(c));
	}
	if (c->state != CLIENT_NONE && c->deadline_ms <= now)
		client_end(c);
	if (before == CLIENT_SCANNED && c->state == CLIENT_NONE)
		pool_forget(&f->pool, c);
}

static void
hear_signals(struct front *f)
{
	struct signalfd_siginfo info;

	while (io_read(f->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo == SIGHUP)
			pool_reload(&f->pool);
	pool_reap(&f->pool);
}

/* Milliseconds for poll(2). */
static int
timeout(int64_t wake_ms)
{
	int64_t left;

	if (wake_ms == INT64_MAX)
		return -1;
	left = wake_ms - clock_mono_ms();
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static size_t
prepare(struct front *f, int64_t *wake_ms)
{
	int64_t now = clock_mono_ms();
	bool has_room = count_clients(f, CLIENT_NONE) > 0;
	bool accepts = has_room && f->accept_at_ms <= now;
	size_t n = 0;

	f->polled[n++] = (struct pollfd){ .fd = f->signals, .events = POLLIN };
	f->polled[n++] = (struct pollfd){ .fd = accepts ? f->listener : -1,
		.events = POLLIN };
	if (has_room && !accepts && f->accept_at_ms < *wake_ms)
		*wake_ms = f->accept_at_ms;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct client *c = &f->clients[i];
		bool reads = c->state == CLIENT_COMMAND ||
			     c->state == CLIENT_STREAM ||
			     c->state == CLIENT_CLOSING;

		f->polled[n++] = (struct pollfd){ .fd = c->fd,
			.events = reads ? POLLIN : POLLRDHUP };
		if (c->state != CLIENT_NONE && c->deadline_ms < *wake_ms)
			*wake_ms = c->deadline_ms;
	}
	return n + pool_poll(&f->pool, f->polled + n, wake_ms);
}

_Noreturn void
front_run(int listener, int signals, const struct scan_settings *settings)
{
	static struct front f;

	f.listener = listener;
	f.signals = signals;
	f.settings = settings;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		f.clients[i].fd = f.clients[i].file = -1;
	pool_init(&f.pool, settings, answer_scan);
	for (;;) {
		int64_t wake_ms = INT64_MAX;
		size_t count = prepare(&f, &wake_ms);
		int64_t now;

		if (poll(f.polled, count, timeout(wake_ms)) < 0 &&
		    errno != EINTR)
			die_errno(EX_TEMPORARY, "unable to wait");
		now = clock_mono_ms();
		if (f.polled[0].revents != 0)
			hear_signals(&f);
		for (size_t i = 0; i < CLIENTS_MAX; i++)
			tend_client(&f, &f.clients[i], &f.polled[2 + i], now);
		pool_run(&f.pool, f.polled + 2 + CLIENTS_MAX);
		start_scans(&f);
		if (f.polled[1].revents != 0)
			accept_clients(&f);
	}
}
