/*
 * What it costs to start OpenSSL is paid once for many connections, here, and
 * each connection gets a process that was forked for it and sees no other.
 * Runs as whoever runs qmail-remote, holds no key, and reads of no connection:
 * of an order it takes the descriptors and nothing else.
 */
#include "tls/clients.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "tls/client.h"
#include "tls/context.h"
#include "tls/warm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ORDERS = STDIN_FILENO, LIFE = STDOUT_FILENO };

struct clients {
	SSL_CTX *ctx;       /* NULL: of no use, each connection tells why */
	struct buf ciphers; /* that it was made with */
	bool has_ctx;       /* or has been tried to make */
	unsigned count;     /* of processes */
	int null;           /* what they have as descriptor 2 */
	int64_t end_ms, idle_ms;
};

/* Interrupts the wait, and that is all. */
static void
note_child(int number)
{
	(void)number;
}

static void
catch_children(sigset_t *waiting)
{
	const struct sigaction action = { .sa_handler = note_child,
		.sa_flags = SA_NOCLDSTOP };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, waiting) < 0 ||
	    sigaction(SIGCHLD, &action, NULL) < 0)
		die_errno(EX_TEMPORARY, "unable to catch signals");
	sigdelset(waiting, SIGCHLD);
}

static void
reap(struct clients *c)
{
	while (c->count > 0 && waitpid(-1, NULL, WNOHANG) > 0)
		c->count--;
}

/* Made anew when control/tlsclientciphers is another. */
static void
refresh(struct clients *c)
{
	struct buf ciphers = BUF_LIMIT(CLIENT_CIPHERS_MAX);
	char why[CONTEXT_TEXT_MAX];

	client_ciphers(&ciphers);
	if (c->has_ctx && strv_eq(buf_view(&ciphers), buf_view(&c->ciphers))) {
		buf_free(&ciphers);
		return;
	}
	SSL_CTX_free(c->ctx);
	c->ctx = context_client(buf_view(&ciphers), why);
	c->has_ctx = true;
	buf_free(&c->ciphers);
	c->ciphers = ciphers;
	if (c->ctx != NULL)
		warm_client(c->ctx);
	malloc_trim(0);
}

static void
serve(struct clients *c, const struct tls_order *order, const sigset_t *waiting)
{
	pid_t pid;

	if (c->count >= CLIENTS_MAX)
		return;
	refresh(c);
	pid = fork();
	if (pid == 0) {
		signal(SIGCHLD, SIG_DFL);
		sigprocmask(SIG_SETMASK, waiting, NULL);
		dup2(c->null, STDERR_FILENO);
		client_take(order, c->ctx);
	}
	c->count += pid > 0;
}

/* Whoever gets no answer, and sees our copies closed, sees to himself. */
static void
take_order(struct clients *c, const sigset_t *waiting)
{
	struct tls_order order;
	int r = order_receive(ORDERS, &order);

	if (r == 0) {
		serve(c, &order, waiting);
		order_close(&order);
		c->idle_ms = clock_mono_ms() + CLIENTS_IDLE_MS;
	} else if (r == QE_SYS && errno != EAGAIN && errno != EWOULDBLOCK) {
		die_errno(EX_TEMPORARY, "unable to take orders");
	}
}

/* False when it is time to go. */
static bool
wait_and_serve(struct clients *c, const sigset_t *waiting)
{
	struct pollfd p[2] = {
		{.fd = ORDERS, .events = POLLIN},
                { .fd = LIFE,  .events = 0     }
	};
	int64_t end = c->end_ms < c->idle_ms ? c->end_ms : c->idle_ms;
	int64_t left = end - clock_mono_ms();
	struct timespec timeout = { .tv_sec = (time_t)(left / 1000),
		.tv_nsec = (long)(left % 1000) * 1000000 };

	if (left <= 0)
		return false;
	if (ppoll(p, 2, &timeout, waiting) < 0) {
		if (errno != EINTR)
			die_errno(EX_TEMPORARY, "unable to wait for orders");
		p[0].revents = p[1].revents = 0;
	}
	reap(c);
	if (p[1].revents != 0)
		return false;
	if (p[0].revents != 0)
		take_order(c, waiting);
	return true;
}

int
clients_run(void)
{
	int64_t now = clock_mono_ms();
	struct clients c = { .end_ms = now + CLIENTS_LIFE_MS,
		.idle_ms = now + CLIENTS_IDLE_MS,
		.null = open("/dev/null", O_WRONLY | O_CLOEXEC) };
	sigset_t waiting;

	if (c.null < 0)
		die_errno(EX_TEMPORARY, "unable to open /dev/null");
	catch_children(&waiting);
	context_begin();
	refresh(&c);
	while (wait_and_serve(&c, &waiting))
		;
	return EX_SUCCESS;
}
