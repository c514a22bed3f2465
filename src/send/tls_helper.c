/*
 * One qmail-tlsd for all qmail-remotes that stay alive: it has OpenSSL ready
 * and forks a process for each connection.  It is started by the first order,
 * which waits in its socket until then, and again when it has ended and the
 * next order comes.  All of this may fail: qmail-remote then starts qmail-tlsd
 * itself, for one connection, as does one that runs for one delivery.
 *
 * qmail-rspawn reads no order; where qmail-tlsd does not run it throws them
 * away, so that nobody waits for an answer.
 */
#include "base/die.h"
#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/spawn.h"
#include "send/rspawn.h"
#include "smtp/tls_way.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

void
tls_helper_init(struct tls_helper *h)
{
	*h = (struct tls_helper){ .place = -1, .orders = -1, .life = -1 };
}

/* While it runs the orders are its own. */
static bool
watch(struct rspawn *r)
{
	struct epoll_event event = { .events = EPOLLIN,
		.data = { .ptr = &r->tls } };

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->tls.orders, &event) ==
	       0;
}

/* Made when there is somebody to give it to; tried once. */
static void
open_place(struct rspawn *r)
{
	struct tls_helper *h = &r->tls;
	struct tls_way way;
	int end;

	if (h->was_opened)
		return;
	h->was_opened = true;
	if (tls_way_make(program_home(), &way, &h->orders, &end) != 0)
		return;
	/* Its life hangs on a pipe of its own. */
	io_close(&end);
	io_close(&way.life);
	h->place = way.place;
	if (!watch(r)) {
		io_close(&h->place);
		io_close(&h->orders);
	}
}

void
tls_helper_offer(struct rspawn *r, int link)
{
	static const char letter[] = { REMOTE_LINK_TLS };

	open_place(r);
	/* Without it qmail-remote does as well. */
	if (r->tls.place >= 0)
		(void)remote_link_send(
		    link, strv_from(letter, 1), r->tls.place);
}

static int
start(struct tls_helper *h, int end)
{
	static const char *const words[] = { "qmail-tlsd", "-M", NULL };
	volatile int start_error = 0;
	char path[4096];
	char **argv = spawn_argv(words);
	struct spawn how = {
		.path = path,
		.argv = argv,
		.fds = {h->orders, end, STDERR_FILENO},
		.fd_count = 3,
		.start_error = &start_error
	};
	int r = QE_NOMEM;

	snprintf(path, sizeof(path), "%s/bin/qmail-tlsd", program_home());
	if (argv != NULL)
		r = spawn_program(&how, &h->pid);
	free(argv);
	if (r == 0 && start_error != 0) {
		errno = start_error;
		return QE_SYS;
	}
	if (r != 0)
		h->pid = 0;
	return r;
}

static void
throw_away(const struct tls_helper *h)
{
	struct tls_order order;

	if (order_receive(h->orders, &order) == 0)
		order_close(&order);
}

/* Not started, or ended too soon: not again before long. */
static void
note_trouble(struct rspawn *r)
{
	r->tls.not_before_ms = r->now_ms + TLS_HELPER_RETRY_MS;
}

void
tls_helper_ready(struct rspawn *r)
{
	struct tls_helper *h = &r->tls;
	int pipe[2];

	if (r->now_ms < h->not_before_ms || io_pipe(pipe) != 0) {
		throw_away(h);
		return;
	}
	h->born_ms = r->now_ms;
	if (start(h, pipe[0]) != 0) {
		warn("unable to run bin/qmail-tlsd for qmail-remote: %s",
		    error_text(errno));
		note_trouble(r);
	}
	io_close(&pipe[0]);
	if (h->pid > 0) {
		h->life = pipe[1];
		epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, h->orders, NULL);
	} else {
		io_close(&pipe[1]);
	}
}

bool
tls_helper_reaped(struct rspawn *r, pid_t pid)
{
	struct tls_helper *h = &r->tls;

	if (h->pid != pid)
		return false;
	h->pid = 0;
	io_close(&h->life);
	if (r->now_ms - h->born_ms < TLS_HELPER_LIFE_MS)
		note_trouble(r);
	if (!watch(r)) {
		/* Nobody would ever look at what is sent there. */
		io_close(&h->place);
		io_close(&h->orders);
	}
	return true;
}
