/* tls/pool: who gets which order, with processes that do as they are told. */
#include "base/io.h"
#include "smtp/tls_order.h"
#include "tls/pool.h"
#include "tls_contexts.h"
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { USES = 3, PATIENCE_MS = 10000 };

static struct serve serve;

/*
 * Stands for serve_run.  Tells its process id on the order's plain side;
 * the peer's name says what it does then.
 */
static void
obey(const struct serve *s, int orders)
{
	(void)s;
	if (dup2(orders, STDERR_FILENO + 1) < 0)
		_exit(1);
	orders = STDERR_FILENO + 1;
	io_close_from(STDERR_FILENO + 2);
	for (;;) {
		const pid_t self = getpid();
		struct tls_order order;
		struct pollfd p = { .fd = orders, .events = POLLIN };

		if (poll(&p, 1, -1) != 1 || order_receive(orders, &order) != 0)
			_exit(0);
		if (write(order.data, &self, sizeof(self)) < 0 ||
		    strcmp(order.peer, "dies") == 0)
			_exit(1);
		/* Free, and free, and free again, whatever it is given. */
		while (strcmp(order.peer, "lies") == 0)
			if (write(orders, ".", 1) < 0)
				_exit(1);
		/* The end of the connection is said from the other side. */
		p.fd = order.control;
		if (strcmp(order.peer, "stays") == 0)
			(void)poll(&p, 1, -1);
		/* Before the other side can see that it is over. */
		if (write(orders, ".", 1) < 0)
			_exit(0);
		order_close(&order);
	}
}

struct connection {
	int control[2], data[2];
};

/* Gives an order; the process that took it. */
static pid_t
give(struct pool *p, const char *peer, struct connection *c)
{
	struct tls_order order = { .mode = ORDER_NOW };
	pid_t pid = -1;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, c->control), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, c->data), 0);
	snprintf(order.peer, sizeof(order.peer), "%s", peer);
	order.control = c->control[1];
	order.data = order.net_in = order.net_out = c->data[1];
	assert_int_equal(pool_give(p, &order), 0);
	close(c->control[1]);
	close(c->data[1]);
	assert_int_equal(read(c->data[0], &pid, sizeof(pid)), sizeof(pid));
	return pid;
}

/* Until the process has let go of it. */
static void
finish(struct connection *c)
{
	char byte;

	close(c->control[0]);
	assert_int_equal(read(c->data[0], &byte, 1), 0);
	close(c->data[0]);
}

static pid_t
give_and_finish(struct pool *p, const char *peer)
{
	struct connection c;
	pid_t pid = give(p, peer, &c);

	finish(&c);
	return pid;
}

static void
begin(struct pool *p, unsigned uses)
{
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pool_init(p, obey, &serve, uses), 0);
}

/* All processes are free: they are heard, and sent away. */
static void
end(struct pool *p)
{
	p->looked = -POOL_LOOK_MS;
	pool_look(p);
	pool_renew(p);
	assert_int_equal(p->count, 0);
	close(p->epoll);
}

static void
test_one_after_the_other(void **state)
{
	struct connection held;
	struct pool p;
	pid_t first, other;

	(void)state;
	begin(&p, USES);
	first = give_and_finish(&p, "ok");
	assert_int_equal(give(&p, "stays", &held), first);
	/* One that has a connection does not get a second one. */
	other = give_and_finish(&p, "ok");
	assert_int_not_equal(other, first);
	assert_int_equal(give_and_finish(&p, "ok"), other);
	finish(&held);
	/* The one that was used last; this is its third time. */
	assert_int_equal(give_and_finish(&p, "ok"), first);
	assert_int_equal(give_and_finish(&p, "ok"), other);
	assert_int_equal(p.count, 0);
	other = give_and_finish(&p, "ok");
	assert_int_not_equal(other, first);
	pool_renew(&p);
	assert_int_not_equal(give_and_finish(&p, "ok"), other);
	assert_int_equal(p.count, 1);
	end(&p);
}

static void
test_renewed_while_busy(void **state)
{
	struct connection held;
	struct pool p;
	pid_t old;

	(void)state;
	begin(&p, USES);
	old = give(&p, "stays", &held);
	pool_renew(&p);
	finish(&held);
	assert_int_not_equal(give_and_finish(&p, "ok"), old);
	assert_int_equal(p.count, 1);
	end(&p);
}

static void
test_single_use(void **state)
{
	struct pool p;
	pid_t first;

	(void)state;
	begin(&p, 1);
	first = give_and_finish(&p, "ok");
	assert_int_equal(p.count, 0);
	assert_int_not_equal(give_and_finish(&p, "ok"), first);
	end(&p);
}

/* In its work, and while it has none. */
static void
test_process_dies(void **state)
{
	struct epoll_event event;
	struct pool p;
	pid_t pid, next;

	(void)state;
	begin(&p, 100);
	pid = give_and_finish(&p, "dies");
	assert_int_equal(epoll_wait(p.epoll, &event, 1, PATIENCE_MS), 1);
	next = give_and_finish(&p, "ok");
	assert_int_not_equal(next, pid);
	assert_int_equal(p.count, 1);
	p.looked = -POOL_LOOK_MS;
	pool_look(&p);
	assert_int_equal(p.idle_count, 1);
	kill(next, SIGKILL);
	assert_int_equal(epoll_wait(p.epoll, &event, 1, PATIENCE_MS), 1);
	assert_int_not_equal(give_and_finish(&p, "ok"), next);
	assert_int_equal(p.count, 1);
	end(&p);
}

/*
 * One that takes no orders and wants ever more of them: its socket is full
 * some day, and nobody waits for it then.
 */
static void
test_process_lies(void **state)
{
	struct epoll_event event;
	struct connection first, c;
	struct pool p;
	pid_t liar, pid = -1;

	(void)state;
	begin(&p, 100000);
	alarm(PATIENCE_MS / 1000);
	liar = give(&p, "lies", &first);
	while (pid < 0) {
		struct tls_order order = { .mode = ORDER_SOON, .peer = "ok" };
		struct pollfd answer = { .events = POLLIN };

		assert_int_equal(
		    epoll_wait(p.epoll, &event, 1, PATIENCE_MS), 1);
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM, 0, c.data), 0);
		order.control = order.data = c.data[1];
		order.net_in = order.net_out = c.data[1];
		assert_int_equal(pool_give(&p, &order), 0);
		close(c.data[1]);
		answer.fd = c.data[0];
		if (poll(&answer, 1, 0) == 1)
			assert_int_equal(
			    read(c.data[0], &pid, sizeof(pid)), sizeof(pid));
		close(c.data[0]);
	}
	alarm(0);
	assert_int_not_equal(pid, liar);
	close(first.control[0]);
	close(first.data[0]);
	/* The other one is free soon. */
	assert_int_equal(epoll_wait(p.epoll, &event, 1, PATIENCE_MS), 1);
	end(&p);
}

/* Those that nobody needs are sent away. */
static void
test_idle(void **state)
{
	struct connection held[POOL_IDLE_MAX + 4];
	const size_t count = sizeof(held) / sizeof(*held);
	struct pool p;

	(void)state;
	begin(&p, 100);
	for (size_t i = 0; i < count; i++)
		give(&p, "stays", &held[i]);
	assert_int_equal(p.count, count);
	for (size_t i = 0; i < count; i++)
		finish(&held[i]);
	p.looked = -POOL_LOOK_MS;
	pool_look(&p);
	assert_int_equal(p.idle_count, POOL_IDLE_MAX);
	assert_int_equal(p.count, POOL_IDLE_MAX);
	end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_renewed_while_busy),
		cmocka_unit_test(test_single_use),
		cmocka_unit_test(test_process_dies),
		cmocka_unit_test(test_process_lies),
		cmocka_unit_test(test_idle),
	};

	return RUN_TESTS(tests);
}
