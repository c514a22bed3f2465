/*
 * Runs as root, so it reads no byte of a client: orders come from qmail-tls
 * and mail servers, and from these just the one byte that asks for a
 * handshake.  A connection that waits for it is three descriptors here and no
 * process.
 */
#include "tls/master.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/file.h"
#include "base/io.h"
#include "conf/control.h"
#include "tls/warm.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { EVENTS = 64, CLOSE_US = 10000 };

struct loop {
	struct master *master;
	int epoll, orders; /* orders: -1 after their end */
	int life;          /* a pipe that others hold; -1: nobody else does */
	size_t waiting;    /* connections in clear */
};

/* Whatever OpenSSL costs is paid here, once, and not in a handshake. */
static void
begin(struct master *m)
{
	struct control_error err;

	if (m->begun)
		return;
	m->begun = true;
	context_begin();
	m->contexts.tickets = &m->tickets;
	m->contexts.client_ca.max = CONTEXT_PEM_MAX;
	if (control_line(CTL_TLSSERVERCIPHERS, &m->contexts.ciphers, &err) !=
		0 &&
	    control_exists(CTL_TLSSERVERCIPHERS))
		warn("%s", err.text);
	if (control_exists(CTL_CLIENTCA) &&
	    file_read("control/clientca.pem", &m->contexts.client_ca) != 0)
		warn("unable to read control/clientca.pem");
	store_init(&m->store, m->certificate, &m->contexts);
	m->serve.store = &m->store;
	if (pool_init(&m->pool, serve_run, &m->serve, m->uses) != 0)
		die_errno(EX_TEMPORARY, "unable to wait for processes");
}

/*
 * What a handshake would build is built here, and free memory put in order:
 * each page that a forked process changes has to be copied first.
 */
static void
make_ready(struct master *m)
{
	if (!m->once)
		warm_server(m->store.everybody.ctx);
	malloc_trim(0);
}

/* Those on disk; trouble with its file is told once. */
static bool
refresh_tickets(struct master *m)
{
	struct tickets *t = &m->tickets;
	unsigned char newest[TICKET_NAME];
	bool saved;

	memcpy(newest, t->keys[0].name, sizeof(newest));
	if (tickets_refresh(t, TICKETS_DIR, clock_wall(), &saved) != 0)
		return false;
	if (!saved && !m->warned && !m->once)
		warn("no file for ticket keys in %s: clients resume on this "
		     "service only, and not after a restart",
		    TICKETS_DIR);
	m->warned |= !saved;
	if (memcmp(newest, t->keys[0].name, sizeof(newest)) != 0)
		pool_renew(&m->pool);
	return true;
}

/* True if a handshake can be done now, with what is on disk now. */
static bool
prepare(struct master *m)
{
	const SSL_CTX *before;
	unsigned changes;
	bool usable;

	begin(m);
	if (!refresh_tickets(m))
		return false;
	before = m->store.everybody.ctx;
	changes = m->store.changes;
	usable = store_refresh(&m->store);
	if (usable && before != m->store.everybody.ctx)
		make_ready(m);
	if (changes != m->store.changes)
		pool_renew(&m->pool);
	return usable;
}

static void
handshake(struct master *m, struct tls_order *order, bool prepared)
{
	const char no = ORDER_NO;

	if (!prepared || pool_give(&m->pool, order) != 0) {
		warn("no handshake for %s", order->peer);
		/* Nobody has answered yet. */
		if (order->mode == ORDER_SOON)
			(void)send(order->control, &no, 1,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	order_close(order);
}

/*
 * A mail server has said something about its connection, or is gone.  Nothing
 * here waits for one: it may have given us anything in place of a socket.
 */
static void
take_word(struct loop *l, struct tls_order *order)
{
	char byte = '\0';
	ssize_t got = recv(order->control, &byte, 1, MSG_DONTWAIT);

	epoll_ctl(l->epoll, EPOLL_CTL_DEL, order->control, NULL);
	l->waiting--;
	if (got == 1 && (byte == 'y' || byte == 'Y')) {
		order->mode = byte == 'Y' ? ORDER_NOW : ORDER_MUTE;
		/* The certificate may be another one than at the start. */
		handshake(l->master, order, prepare(l->master));
	} else {
		order_close(order);
	}
	free(order);
}

static void
let_wait(struct loop *l, const struct tls_order *order)
{
	struct tls_order *copy = malloc(sizeof(*copy));
	struct epoll_event event = { .events = EPOLLIN,
		.data = { .ptr = copy } };

	if (copy == NULL ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, order->control, &event) < 0) {
		struct tls_order gone = *order;

		free(copy);
		order_close(&gone);
		return;
	}
	*copy = *order;
	l->waiting++;
}

/* With "once" OpenSSL waits for somebody who asks for it. */
static bool
can_serve(struct master *m)
{
	return m->once ? access(m->certificate, R_OK) == 0 : prepare(m);
}

static void
take_order(struct loop *l, struct tls_order *order)
{
	char answer = can_serve(l->master) ? ORDER_YES : ORDER_NO;

	/* With ORDER_SOON who does it says yes. */
	if ((order->mode != ORDER_SOON || answer == ORDER_NO) &&
	    send(order->control, &answer, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		answer = ORDER_NO;
	if (answer == ORDER_NO)
		order_close(order);
	else if (order->mode == ORDER_WAIT)
		let_wait(l, order);
	else
		handshake(
		    l->master, order, !l->master->once || prepare(l->master));
}

/* Our guard has it, too: closing it would not end what epoll(7) tells. */
static void
forget(const struct loop *l, int *fd)
{
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, *fd, NULL);
	io_close(fd);
}

/*
 * False if none is there.  One at a time: if more have come, epoll_wait(2)
 * tells at once.  What anybody can send ends nothing.
 */
static bool
take_next(struct loop *l)
{
	struct tls_order order;
	int r;

	if (l->orders < 0)
		return false; /* the end of all came first, at the same time */
	r = order_receive(l->orders, &order);
	if (r == 0) {
		take_order(l, &order);
		return true;
	}
	if (r == QE_SYNTAX || (r == QE_EOF && l->life >= 0)) {
		warn("an order that is none, or too many of them");
		return true;
	}
	if (r == QE_EOF)
		forget(l, &l->orders);
	else if (errno != EAGAIN && errno != EWOULDBLOCK)
		die_errno(EX_TEMPORARY, "unable to take orders");
	return false;
}

/* Nobody is left who could give orders; some may be waiting still. */
static void
end_orders(struct loop *l)
{
	while (take_next(l))
		;
	forget(l, &l->life);
	forget(l, &l->orders);
}

/* Each connection in clear takes three descriptors. */
static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void
wake(int signal)
{
	(void)signal;
}

static void
prepare_waking(void)
{
	const struct sigaction action = { .sa_handler = wake,
		.sa_flags = SA_RESTART };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	if (sigaction(SIGALRM, &action, NULL) < 0 ||
	    sigprocmask(SIG_UNBLOCK, &set, NULL) < 0)
		die_errno(EX_TEMPORARY, "unable to take signals");
}

/*
 * The last close(2) of a connection waits for its client where a mail server
 * has asked for that (SO_LINGER, socket(7)), be it our own or that of what
 * there is no room for in an order.  A signal ends it, and harms nothing else.
 */
static void
limit_waits(bool on)
{
	const struct timeval soon = { .tv_usec = on ? CLOSE_US : 0 };
	const struct itimerval timer = { .it_interval = soon,
		.it_value = soon };

	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

/* Milliseconds; -1: for ever. */
static int
patience(const struct master *m)
{
	return m->pool.count > 0 ? POOL_LOOK_MS : -1;
}

static void
watch(const struct loop *l, int fd, uint32_t events, void *what)
{
	struct epoll_event event = { .events = events,
		.data = { .ptr = what } };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die_errno(EX_TEMPORARY, "unable to wait for orders");
}

int
master_run(struct master *m, int orders, int life)
{
	struct loop l = { .master = m, .orders = orders, .life = life };
	struct epoll_event events[EVENTS];

	raise_descriptors();
	/* Nobody waits for the processes of handshakes. */
	signal(SIGCHLD, SIG_IGN);
	prepare_waking();
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(&l, orders, EPOLLIN, NULL);
	/* Its end comes unasked; who writes into it is not heard. */
	if (life >= 0)
		watch(&l, life, 0, &l);
	while (l.orders >= 0 || l.waiting > 0) {
		int n = epoll_wait(l.epoll, events, EVENTS, patience(m));

		if (n < 0 && errno != EINTR)
			die_errno(EX_TEMPORARY, "unable to wait for orders");
		limit_waits(true);
		for (int i = 0; i < n; i++)
			if (events[i].data.ptr == NULL)
				(void)take_next(&l);
			else if (events[i].data.ptr == &l)
				end_orders(&l);
			else
				take_word(&l, events[i].data.ptr);
		pool_look(&m->pool);
		limit_waits(false);
	}
	return 0;
}
