/*
 * Asking DNS servers: every try has a fresh query id and, through a fresh
 * connected socket, a fresh port and an answer from the asked server only.
 * A truncated answer is fetched again by TCP.
 *
 * Servers are asked in order; what a server does not answer in its share of
 * the time, the next one gets, and then the round begins again with more
 * patience, until the deadline.
 */
#include "base/dns_exchange.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

enum {
	TRY_LEAST_MS = 200,
	TRY_FIRST_MS = 3000 /* each further round waits twice as long */
};

enum outcome { ANSWERED, SILENT, USELESS };

void
dns_set_random_id(struct dns_query *query)
{
	unsigned char id[2];

	/* Never blocks after boot and never fails for so few bytes. */
	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
		id[0] = id[1] = (unsigned char)clock_mono_ms();
	dns_query_set_id(query, (unsigned)(id[0] << 8 | id[1]));
}

int
dns_open_udp(const struct dns_server *server)
{
	struct sockaddr_storage address;
	socklen_t len = net_sockaddr(&server->ip, server->port, &address);
	int fd = socket(
	    server->ip.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, len) < 0)
		io_close(&fd);
	return fd;
}

/*
 * Waits for the answer to this query; others are dropped.  DNS_FOREIGN: none
 * came.
 */
static enum dns_verdict
receive_udp(int fd, const struct dns_query *query, int64_t until,
    unsigned char *answer, size_t *len)
{
	for (int strays = 0; strays < DNS_STRAYS_MAX; strays++) {
		enum dns_verdict verdict;
		ssize_t got;

		if (io_wait(fd, POLLIN, until) < 0)
			return DNS_FOREIGN;
		got = recv(fd, answer, DNS_ANSWER_MAX, 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		/* ECONNREFUSED: nobody listens there. */
		if (got < 0)
			return DNS_UNUSABLE;
		*len = (size_t)got;
		verdict = dns_answer_judge(query, answer, *len);
		if (verdict != DNS_FOREIGN)
			return verdict;
	}
	return DNS_FOREIGN;
}

static enum dns_verdict
ask_udp(const struct dns_server *server, struct dns_query *query, int64_t until,
    unsigned char *answer, size_t *len)
{
	enum dns_verdict verdict = DNS_UNUSABLE;
	int fd = dns_open_udp(server);

	if (fd < 0)
		return DNS_UNUSABLE;
	dns_set_random_id(query);
	if (send(fd, query->bytes, query->len, MSG_NOSIGNAL) ==
	    (ssize_t)query->len)
		verdict = receive_udp(fd, query, until, answer, len);
	io_close(&fd);
	return verdict;
}

/* Exactly n bytes: 0, or a negative code. */
static int
read_exactly(int fd, unsigned char *to, size_t n, int64_t until)
{
	while (n > 0) {
		ssize_t got;
		int r = io_wait(fd, POLLIN, until);

		if (r < 0)
			return r;
		got = io_read(fd, to, n);
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got <= 0)
			return got == 0 ? QE_EOF : QE_SYS;
		to += got;
		n -= (size_t)got;
	}
	return 0;
}

static int
talk_tcp(int fd, const struct dns_query *query, int64_t until,
    unsigned char *answer, size_t *len)
{
	unsigned char out[2 + DNS_QUERY_MAX];
	unsigned char prefix[2];
	size_t size = query->len + 2;
	int r;

	out[0] = (unsigned char)(query->len >> 8);
	out[1] = (unsigned char)(query->len & 0xff);
	memcpy(out + 2, query->bytes, query->len);
	/* A fresh connection takes these few bytes at once, or is useless. */
	if (send(fd, out, size, MSG_NOSIGNAL) != (ssize_t)size)
		return QE_SYS;
	r = read_exactly(fd, prefix, sizeof(prefix), until);
	if (r < 0)
		return r;
	*len = (size_t)(prefix[0] << 8 | prefix[1]);
	return read_exactly(fd, answer, *len, until);
}

enum dns_verdict
dns_ask_tcp(const struct dns_server *server, struct dns_query *query,
    int64_t until, unsigned char *answer, size_t *len)
{
	enum dns_verdict verdict = DNS_UNUSABLE;
	int fd;

	if (net_connect(&server->ip, server->port, NULL, until, &fd) < 0)
		return DNS_UNUSABLE;
	dns_set_random_id(query);
	if (talk_tcp(fd, query, until, answer, len) == 0)
		verdict = dns_answer_judge(query, answer, *len);
	io_close(&fd);
	/* What is truncated even here, or not for us, helps nobody. */
	return verdict == DNS_GOOD ? DNS_GOOD : DNS_UNUSABLE;
}

/* One try at one server, with the changes of manner it asks for. */
static enum outcome
ask_server(const struct dns_server *server, struct dns_query *query,
    int64_t until, unsigned char *answer, size_t *len)
{
	enum dns_verdict verdict = ask_udp(server, query, until, answer, len);

	if (verdict == DNS_NO_EDNS) {
		dns_query_strip_edns(query);
		verdict = ask_udp(server, query, until, answer, len);
	}
	if (verdict == DNS_TRUNCATED)
		verdict = dns_ask_tcp(server, query, until, answer, len);
	if (verdict == DNS_GOOD)
		return ANSWERED;
	return verdict == DNS_FOREIGN ? SILENT : USELESS;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * How long a server may take at first: if all are silent but one, that one
 * must still be reached within half of the whole time.
 */
int64_t
dns_first_patience(const struct dns_servers *servers, int64_t deadline_ms)
{
	int64_t left = deadline_ms - clock_mono_ms();
	int64_t share = left / (int64_t)(2 * servers->count);

	if (share < TRY_LEAST_MS)
		return TRY_LEAST_MS;
	return earlier(share, TRY_FIRST_MS);
}

int
dns_exchange(const struct dns_servers *servers, struct dns_query *query,
    int64_t deadline_ms, unsigned char *answer, size_t *len)
{
	const struct dns_query original = *query;
	int64_t patience = dns_first_patience(servers, deadline_ms);

	for (int round = 0; round < DNS_ROUNDS_MAX; round++) {
		bool silence = false;

		for (size_t i = 0; i < servers->count; i++) {
			int64_t now = clock_mono_ms();
			enum outcome outcome;

			if (now >= deadline_ms)
				return QE_TEMP;
			*query = original;
			outcome = ask_server(&servers->items[i], query,
			    earlier(deadline_ms, now + patience), answer, len);
			if (outcome == ANSWERED)
				return 0;
			silence = silence || outcome == SILENT;
		}
		/* All have spoken, and none of them can help. */
		if (!silence)
			return QE_TEMP;
		patience *= 2;
	}
	return QE_TEMP;
}
