/*
 * Processes of qmail-remote that stay alive: started when there is work and
 * no idle one, kept while they are of use.
 *
 * One that dies takes no more with it than the deliveries it had in work.
 */
#include "base/error.h"
#include "base/io.h"
#include "base/spawn.h"
#include "mail/address.h"
#include "send/rspawn.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64, PACKETS_PER_TURN = 16, LAST_TURNS = 8 };

static const char crashed[] = "Zqmail-remote crashed.\n";

static void
idle_remove(struct worker **list, const struct worker *w)
{
	while (*list != NULL && *list != w)
		list = &(*list)->next_idle;
	if (*list != NULL)
		*list = w->next_idle;
}

/* Out of the list of idle ones that it is in. */
static void
leave_idle(struct rspawn *r, struct worker *w)
{
	if (w->group != NULL)
		return;
	idle_remove(
	    w->destination != NULL ? &w->destination->idle : &r->blank, w);
	w->next_idle = NULL;
	if (w->via == NULL)
		return;
	w->via->resting--;
	w->via->references--;
	w->via = NULL;
}

static void
enter_idle(struct rspawn *r, struct worker *w)
{
	struct worker **list =
	    w->destination != NULL ? &w->destination->idle : &r->blank;

	w->idle_ms = r->now_ms;
	w->next_idle = *list;
	*list = w;
	if (w->destination == NULL || w->destination->via == NULL)
		return;
	w->via = w->destination->via;
	w->via->resting++;
	w->via->references++;
}

/*
 * A child on its way to exec still has a copy of the descriptor, so closing
 * ours is not enough for epoll(7) to forget it.
 */
static void
unlink_worker(struct rspawn *r, struct worker *w)
{
	leave_idle(r, w);
	epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	io_close(&w->fd);
	if (w->previous != NULL)
		w->previous->next = w->next;
	else
		r->workers = w->next;
	if (w->next != NULL)
		w->next->previous = w->previous;
	r->worker_count--;
}

static void
call_it_classic(struct rspawn *r)
{
	r->stand_in.classic_until_ms = r->now_ms + STAND_IN_RETRY_MS;
}

/* It ends when it notices; what it had in work is deferred. */
static void
worker_lose(struct rspawn *r, struct worker *w)
{
	struct group *g = w->group;

	unlink_worker(r, w);
	if (g != NULL) {
		destination_ended(r, g);
		if (w->has_greeted) {
			group_end(r, g, crashed);
		} else {
			/* Not a program that can stay alive, then. */
			call_it_classic(r);
			g->is_alone = true;
			group_again(r, g);
		}
	}
	free(w);
}

static struct worker *
worker_link(struct rspawn *r, int fd)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct epoll_event event = { .events = EPOLLIN };

	if (w == NULL)
		return NULL;
	event.data.ptr = w;
	if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(w);
		return NULL;
	}
	w->fd = fd;
	w->born_ms = w->idle_ms = r->now_ms;
	w->generation = r->stand_in.generation;
	w->next = r->workers;
	if (w->next != NULL)
		w->next->previous = w;
	r->workers = w;
	r->worker_count++;
	return w;
}

/* Descriptor 0 is the socket; no arguments, or it would be one delivery. */
static struct worker *
worker_start(struct rspawn *r)
{
	static const char *const words[] = { "qmail-remote", NULL };
	int ends[2];
	char **argv = spawn_argv(words);
	struct spawn how = {
		.path = words[0],
		.argv = argv,
		.fds = {-1, SPAWN_FD_NULL, SPAWN_FD_NULL},
		.fd_count = 3
	};
	struct worker *w = NULL;

	if (argv == NULL ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		free(argv);
		return NULL;
	}
	how.fds[0] = ends[1];
	if (io_set_nonblocking(ends[0], true) == 0)
		w = worker_link(r, ends[0]);
	if (w == NULL) {
		io_close(&ends[0]);
	} else if (spawn_program(&how, &w->pid) != 0) {
		unlink_worker(r, w);
		free(w);
		w = NULL;
	} else {
		tls_helper_offer(r, w->fd);
	}
	io_close(&ends[1]);
	free(argv);
	return w;
}

static bool
send_group(struct rspawn *r, struct worker *w, struct group *g)
{
	struct spawner_job *first = g->jobs[0];

	buf_reset(&r->packet);
	remote_link_add_job(&r->packet,
	    address_domain(buf_view(&first->recipient)),
	    buf_view(&first->sender));
	for (unsigned i = 0; i < g->count; i++)
		remote_link_add_text(
		    &r->packet, buf_view(&g->jobs[i]->recipient));
	return r->packet.err == 0 &&
	       remote_link_send(
		   w->fd, buf_view(&r->packet), first->message_fd) == 0;
}

/* Some other destination's connection gives way. */
static struct worker *
any_idle(struct rspawn *r)
{
	struct worker *oldest = NULL;

	for (struct worker *w = r->workers; w != NULL; w = w->next)
		if (w->group == NULL &&
		    (oldest == NULL || w->idle_ms < oldest->idle_ms))
			oldest = w;
	return oldest;
}

static bool
is_worn(const struct rspawn *r, const struct worker *w)
{
	return w->generation != r->stand_in.generation ||
	       w->jobs >= WORKER_JOBS_MAX ||
	       r->now_ms - w->born_ms >= WORKER_LIFE_MS ||
	       stand_in_is_classic(r);
}

/*
 * Where an exchanger may have no further connection: one that another
 * destination's mail has gone over.  Its process closes it first.
 */
static struct worker *
other_of_exchanger(struct rspawn *r, const struct destination *d)
{
	const struct destination *via = d->via;
	struct worker *w = r->workers;

	if (d->idle != NULL || via == NULL || via->resting == 0 ||
	    (via->limiter.active + via->resting + 1) * LIMITER_UNIT <=
		via->limiter.window)
		return NULL;
	while (w != NULL && w->via != via)
		w = w->next;
	return w;
}

static struct worker *
pick(struct rspawn *r, struct destination *d)
{
	struct worker *w = other_of_exchanger(r, d);

	if (w != NULL)
		return w;
	while ((w = d->idle) != NULL || (w = r->blank) != NULL) {
		if (!is_worn(r, w))
			return w;
		worker_lose(r, w);
	}
	if (r->worker_count < r->spawner->slots) {
		w = worker_start(r);
		if (w != NULL)
			enter_idle(r, w);
		return w;
	}
	return any_idle(r);
}

bool
worker_take(struct rspawn *r, struct group *g)
{
	struct worker *w;

	while ((w = pick(r, g->destination)) != NULL) {
		bool is_new = !w->has_greeted && w->jobs == 0;

		leave_idle(r, w);
		w->destination = g->destination;
		w->group = g;
		w->jobs++;
		if (send_group(r, w, g)) {
			io_close(&g->jobs[0]->message_fd);
			return true;
		}
		/* It died while it had nothing to do. */
		w->group = NULL;
		enter_idle(r, w);
		worker_lose(r, w);
		if (is_new) {
			call_it_classic(r);
			return false;
		}
	}
	/* With nobody at work no place will ever become free. */
	if (r->worker_count == 0)
		call_it_classic(r);
	return false;
}

/* False if the packet is not what a qmail-remote would say. */
static bool
take_results(struct rspawn *r, struct worker *w, struct strv rest)
{
	struct group *g = w->group;
	struct strv text;
	unsigned number;
	int result;

	while ((result = remote_link_next_result(&rest, &number, &text)) == 0) {
		struct spawner_job *job;

		if (g == NULL || number >= g->count || g->jobs[number] == NULL)
			return false;
		job = g->jobs[number];
		g->jobs[number] = NULL;
		g->answered++;
		/* One answer for all: the first one tells of the peer. */
		if (g->answered == 1)
			destination_heard(r, g, limiter_judge(text));
		job->owner = NULL;
		spawner_finish_output(r->spawner, job, text);
	}
	return result == QE_EOF;
}

static bool
take_end(struct rspawn *r, struct worker *w, struct strv packet)
{
	struct group *g = w->group;
	struct strv exchanger, results;
	bool is_open;

	if (g == NULL ||
	    remote_link_parse_end(packet, &is_open, &exchanger, &results) !=
		0 ||
	    !take_results(r, w, results) || g->answered != g->count)
		return false;
	destination_ended(r, g);
	destination_learn(r, g->destination, exchanger);
	if (!is_open)
		w->destination = NULL;
	w->group = NULL;
	group_end(r, g, crashed); /* nobody is left in it */
	enter_idle(r, w);
	return true;
}

static bool
take_via(struct rspawn *r, struct worker *w, struct strv packet)
{
	struct strv exchanger;

	if (w->group == NULL || remote_link_parse_via(packet, &exchanger) != 0)
		return false;
	destination_connected(r, w->group, exchanger);
	return true;
}

static bool
take_packet(struct rspawn *r, struct worker *w, struct strv packet)
{
	switch (packet.ptr[0]) {
	case REMOTE_LINK_HELLO:
		w->has_greeted = true;
		return true;
	case REMOTE_LINK_VIA:
		return w->has_greeted && take_via(r, w, packet);
	case REMOTE_LINK_RESULTS:
		return w->has_greeted &&
		       take_results(r, w, strv_skip(packet, 1));
	case REMOTE_LINK_END:
		return w->has_greeted && take_end(r, w, packet);
	case REMOTE_LINK_CLOSED:
		/* While there is work for it, that is how this work ends. */
		if (w->group == NULL) {
			leave_idle(r, w);
			w->destination = NULL;
			enter_idle(r, w);
		}
		return true;
	}
	return false;
}

/* True if the worker is still there. */
static bool
worker_read(struct rspawn *r, struct worker *w)
{
	for (int i = 0; i < PACKETS_PER_TURN; i++) {
		struct strv packet;
		int result = remote_link_receive(
		    w->fd, r->received, sizeof(r->received), &packet, NULL);

		if (result == QE_SYS && errno == EAGAIN)
			return true;
		if (result == 0 && take_packet(r, w, packet))
			continue;
		if (result != QE_EOF && w->pid > 0)
			kill(w->pid, SIGKILL);
		worker_lose(r, w);
		return false;
	}
	return true;
}

/* Reading from one worker ends no other: no event is of one that is gone. */
void
workers_ready(struct rspawn *r)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(r->epoll_fd, events, EVENTS, 0);

	for (int i = 0; i < n; i++)
		if (events[i].data.ptr == &r->tls)
			tls_helper_ready(r);
		else
			(void)worker_read(r, events[i].data.ptr);
}

void
worker_reaped(struct rspawn *r, pid_t pid)
{
	struct worker *w = r->workers;

	if (tls_helper_reaped(r, pid))
		return;
	while (w != NULL && w->pid != pid)
		w = w->next;
	if (w == NULL)
		return;
	/* Its last words first; its number may be somebody else's now. */
	w->pid = 0;
	for (int i = 0; i < LAST_TURNS; i++)
		if (!worker_read(r, w))
			return;
	worker_lose(r, w);
}

/*
 * A program that says nothing may wait for something that never comes.  When
 * to look again.
 */
static int64_t
give_up_mute(struct rspawn *r, struct worker *w)
{
	int64_t end_ms = w->born_ms + WORKER_GREETING_MS;

	if (w->has_greeted)
		return IO_FOREVER;
	if (end_ms > r->now_ms)
		return end_ms;
	if (worker_read(r, w) && !w->has_greeted) {
		kill(w->pid, SIGKILL);
		worker_lose(r, w);
	}
	return r->now_ms;
}

int64_t
workers_retire(struct rspawn *r)
{
	int64_t next_ms = IO_FOREVER;
	struct worker *w = r->workers, *next;

	for (; w != NULL; w = next) {
		int64_t end_ms = w->idle_ms + WORKER_IDLE_MS;

		next = w->next;
		if (w->group != NULL) {
			end_ms = give_up_mute(r, w);
			if (end_ms < next_ms)
				next_ms = end_ms;
			continue;
		}
		if (is_worn(r, w) ||
		    (w->destination == NULL && end_ms <= r->now_ms))
			worker_lose(r, w);
		else if (w->destination == NULL && end_ms < next_ms)
			next_ms = end_ms;
	}
	return next_ms;
}
