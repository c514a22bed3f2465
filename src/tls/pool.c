/*
 * A process says that it is free again by one byte on its socket; nobody is
 * woken for it, sockets are looked at before the next order is given.  Its
 * end is that of the socket: ours if it is not to be used again, its own if
 * it died or trusts itself no more.  Nothing else is believed of it, how many
 * connections it gets is counted here, and nobody waits for it to take one.
 */
#include "tls/pool.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 32 };

struct pool_worker {
	int fd;
	bool busy;
	unsigned uses, generation;
	int64_t free_ms;          /* clock_mono_ms() of the end of its work */
	struct pool_worker *next; /* in the list of those that are idle */
};

int
pool_init(
    struct pool *p, pool_run *run, const struct serve *serve, unsigned uses)
{
	*p = (struct pool){ .run = run,
		.serve = serve,
		.uses = uses,
		.epoll = epoll_create1(EPOLL_CLOEXEC) };
	return p->epoll < 0 ? QE_SYS : 0;
}

/* It ends when it has nothing more to do. */
static void
dismiss(struct pool *p, struct pool_worker *w)
{
	epoll_ctl(p->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	io_close(&w->fd);
	free(w);
	p->count--;
}

static void
take_out(struct pool *p, const struct pool_worker *w)
{
	struct pool_worker **at = &p->idle;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	p->idle_count--;
}

static void
set_idle(struct pool *p, struct pool_worker *w)
{
	w->busy = false;
	if (w->generation != p->generation || p->idle_count == POOL_IDLE_MAX) {
		dismiss(p, w);
		return;
	}
	w->free_ms = clock_mono_ms();
	w->next = p->idle;
	p->idle = w;
	p->idle_count++;
}

/* The one word that a process says, or its end. */
static void
take_word(struct pool *p, struct pool_worker *w)
{
	char byte;
	ssize_t got = recv(w->fd, &byte, 1, MSG_DONTWAIT);

	if (got == 1 && w->busy) {
		set_idle(p, w);
		return;
	}
	if (!w->busy)
		take_out(p, w);
	dismiss(p, w);
}

static void
take_words(struct pool *p)
{
	struct epoll_event events[EVENTS];
	int n;

	do {
		n = epoll_wait(p->epoll, events, EVENTS, 0);
		for (int i = 0; i < n; i++)
			take_word(p, events[i].data.ptr);
	} while (n == EVENTS);
}

/* It gets the order as others do, and keeps no copy from us. */
static struct pool_worker *
start(struct pool *p, struct tls_order *order)
{
	struct pool_worker *w = calloc(1, sizeof(*w));
	struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = w } };
	int pair[2] = { -1, -1 };
	pid_t pid = -1;

	if (w == NULL)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 &&
	    io_set_nonblocking(pair[0], true) == 0 &&
	    epoll_ctl(p->epoll, EPOLL_CTL_ADD, pair[0], &event) == 0)
		pid = fork();
	if (pid == 0) {
		signal(SIGCHLD, SIG_DFL);
		explicit_bzero(order, sizeof(*order));
		p->run(p->serve, pair[1]);
		_exit(0);
	}
	io_close(&pair[1]);
	*w = (struct pool_worker){ .fd = pair[0], .generation = p->generation };
	p->count++;
	if (pid > 0)
		return w;
	dismiss(p, w);
	return NULL;
}

static struct pool_worker *
find(struct pool *p, struct tls_order *order)
{
	struct pool_worker *w = p->idle;

	if (w == NULL)
		return start(p, order);
	take_out(p, w);
	return w;
}

int
pool_give(struct pool *p, struct tls_order *order)
{
	take_words(p);
	for (;;) {
		struct pool_worker *w = find(p, order);
		int r;

		if (w == NULL)
			return QE_SYS;
		r = order_send(w->fd, order);
		if (r != 0) {
			bool is_lost = r == QE_EOF || errno == EAGAIN;

			dismiss(p, w);
			if (is_lost)
				continue; /* dead, or full of orders */
			return r;
		}
		w->busy = true;
		/* What was its last one is done before the end is seen. */
		if (++w->uses >= p->uses)
			dismiss(p, w);
		return 0;
	}
}

void
pool_renew(struct pool *p)
{
	p->generation++;
	while (p->idle != NULL) {
		struct pool_worker *w = p->idle;

		take_out(p, w);
		dismiss(p, w);
	}
}

void
pool_look(struct pool *p)
{
	int64_t now = clock_mono_ms();
	struct pool_worker *w, *next;

	if (p->count == 0 || now - p->looked < POOL_LOOK_MS)
		return;
	p->looked = now;
	take_words(p);
	for (w = p->idle; w != NULL; w = next) {
		next = w->next;
		if (now - w->free_ms < POOL_IDLE_MS)
			continue;
		take_out(p, w);
		dismiss(p, w);
	}
}
