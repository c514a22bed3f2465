/*
 * Many questions at a time, in one poll(2) loop.  A question has one socket
 * and one try under way; what a silent server costs one of them, it costs
 * none of the others.
 */
#include "base/dns_batch.h"

#include "base/clock.h"
#include "base/dns_exchange.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

struct asking {
	struct dns_question *question;
	struct dns_query query;
	struct dns_query original; /* with EDNS0, for the next server */
	int fd;
	size_t server;
	int round, strays, reasks;
	bool silence; /* a server of this round did not answer in time */
	int64_t until;
};

struct batch {
	const struct dns_servers *servers;
	int64_t deadline_ms;
	unsigned char answer[DNS_ANSWER_MAX];
	size_t count;
	struct asking askings[];
};

static void
finish(struct asking *a, int result)
{
	io_close(&a->fd);
	a->question->result = result;
	a->question->done = true;
}

static int64_t
patience(const struct batch *b, const struct asking *a)
{
	int64_t until =
	    clock_mono_ms() +
	    (dns_first_patience(b->servers, b->deadline_ms) << a->round);

	return until < b->deadline_ms ? until : b->deadline_ms;
}

/* Sends the question to its present server; false if that cannot be. */
static bool
send_query(const struct batch *b, struct asking *a)
{
	io_close(&a->fd);
	a->strays = 0;
	a->until = patience(b, a);
	a->fd = dns_open_udp(&b->servers->items[a->server]);
	if (a->fd < 0)
		return false;
	dns_set_random_id(&a->query);
	return send(a->fd, a->query.bytes, a->query.len, MSG_NOSIGNAL) ==
	       (ssize_t)a->query.len;
}

/* The next server that can be asked; after the last one, all once more. */
static void
ask_next(const struct batch *b, struct asking *a)
{
	while (!a->question->done) {
		if (++a->server == b->servers->count) {
			/* All have spoken, and none of them can help. */
			if (!a->silence || ++a->round == DNS_ROUNDS_MAX) {
				finish(a, QE_TEMP);
				return;
			}
			a->server = 0;
			a->silence = false;
		}
		a->query = a->original;
		if (send_query(b, a))
			return;
	}
}

static void
ask_first(const struct batch *b, struct asking *a, struct strv name)
{
	int r = dns_query_make(name, a->question->type, &a->original);

	if (r != 0) {
		/* Only the first name is the caller's fault. */
		finish(a, a->reasks == 0 ? r : QE_ABSENT);
		return;
	}
	a->query = a->original;
	a->server = 0;
	a->round = 0;
	a->silence = false;
	if (!send_query(b, a))
		ask_next(b, a);
}

/* A good answer: the end, or the beginning of a question about an alias. */
static void
take_answer(struct batch *b, struct asking *a, size_t len)
{
	struct dns_found *found = &a->question->found;
	int r = dns_answer_read(&a->query, b->answer, len, found);

	if (r != QE_EOF)
		finish(a, r);
	else if (++a->reasks > DNS_REASK_MAX)
		finish(a, QE_TEMP);
	else
		ask_first(b, a, strv_of(found->alias));
}

static void
judge(struct batch *b, struct asking *a, size_t len)
{
	enum dns_verdict verdict = dns_answer_judge(&a->query, b->answer, len);

	if (verdict == DNS_FOREIGN && ++a->strays < DNS_STRAYS_MAX)
		return;
	if (verdict == DNS_NO_EDNS) {
		dns_query_strip_edns(&a->query);
		if (send_query(b, a))
			return;
	}
	if (verdict == DNS_TRUNCATED)
		verdict = dns_ask_tcp(&b->servers->items[a->server], &a->query,
		    patience(b, a), b->answer, &len);
	if (verdict == DNS_GOOD) {
		take_answer(b, a, len);
		return;
	}
	a->silence = a->silence || verdict == DNS_FOREIGN;
	ask_next(b, a);
}

static void
receive(struct batch *b, struct asking *a)
{
	ssize_t got = recv(a->fd, b->answer, sizeof(b->answer), 0);

	if (got >= 0)
		judge(b, a, (size_t)got);
	else if (errno != EAGAIN && errno != EINTR)
		ask_next(b, a); /* ECONNREFUSED: nobody listens there */
}

/* Who is waited for, and until when; how many they are. */
static size_t
gather(struct batch *b, struct pollfd *p, struct asking **who, int64_t *until)
{
	size_t n = 0;

	*until = b->deadline_ms;
	for (size_t i = 0; i < b->count; i++) {
		struct asking *a = &b->askings[i];

		if (a->question->done)
			continue;
		if (a->until < *until)
			*until = a->until;
		who[n] = a;
		p[n++] = (struct pollfd){ .fd = a->fd, .events = POLLIN };
	}
	return n;
}

static int
wait_time(int64_t until)
{
	int64_t left = until - clock_mono_ms();

	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* One look at all sockets; false when there is nobody left to wait for. */
static bool
turn(struct batch *b)
{
	struct asking *who[DNS_BATCH_MAX];
	struct pollfd p[DNS_BATCH_MAX];
	int64_t until;
	size_t n = gather(b, p, who, &until);

	if (n == 0)
		return false;
	if (poll(p, (nfds_t)n, wait_time(until)) < 0 && errno != EINTR)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i].revents != 0) {
			receive(b, who[i]);
		} else if (clock_mono_ms() >= who[i]->until &&
			   who[i]->until < b->deadline_ms) {
			who[i]->silence = true;
			ask_next(b, who[i]);
		}
	}
	return true;
}

static void
run(struct batch *b, bool (*enough)(void *), void *context)
{
	bool late = false;

	for (size_t i = 0; i < b->count; i++)
		ask_first(b, &b->askings[i], b->askings[i].question->name);
	/* When the time is over, one last look at what has come meanwhile. */
	while (!late) {
		if (enough != NULL && enough(context))
			return;
		late = clock_mono_ms() >= b->deadline_ms;
		if (!turn(b))
			return;
	}
}

int
dns_ask_all(struct dns *dns, struct dns_question *questions, size_t count,
    int64_t deadline_ms, bool (*enough)(void *context), void *context)
{
	struct batch *b;

	if (count > DNS_BATCH_MAX)
		return QE_LIMIT;
	b = malloc(sizeof(*b) + count * sizeof(*b->askings));
	if (b == NULL)
		return QE_NOMEM;
	b->servers = dns_servers_of(dns);
	b->deadline_ms = deadline_ms;
	b->count = count;
	for (size_t i = 0; i < count; i++) {
		questions[i].done = false;
		b->askings[i].question = &questions[i];
		b->askings[i].fd = -1;
		b->askings[i].reasks = 0;
	}
	run(b, enough, context);
	for (size_t i = 0; i < count; i++)
		io_close(&b->askings[i].fd);
	free(b);
	return 0;
}
