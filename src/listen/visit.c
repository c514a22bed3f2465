/*
 * Starting the program for a client; see the header.
 *
 * The lines about connections are tcpserver's to the byte, with its name:
 * filters and graphs of operators read them.
 */
#include "listen/visit.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/io.h"
#include "base/spawn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	FACTS_MAX = 6,         /* variables about the connection */
	HOST_NAME_BYTES = 255, /* of $TCPLOCALHOST, RFC 1035 */
	FACT_BYTES = 32 + HOST_NAME_BYTES,
	LINE_BYTES = 512,
	NUMBER_BYTES = 24
};

#define STATUS "tcpserver: status: %zu/%zu\n"

/* What is said of a connection, written down before there is a child. */
struct notice {
	const struct host *host;
	const struct client *client;
	char local[IPADDR_TEXT_MAX], remote[IPADDR_TEXT_MAX];
	char status[LINE_BYTES]; /* if it is let in */
	char ends[LINE_BYTES];   /* both ends of the connection */
};

/* Whole lines in one write(2); there is nobody to tell when it fails. */
static void
say(const struct host *host, const char *format, ...)
{
	char text[LINE_BYTES];
	va_list args;
	int n;

	if (!host->settings->verbose)
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0 && (size_t)n < sizeof(text) &&
	    write(STDERR_FILENO, text, (size_t)n) < 0)
		errno = 0;
}

static void
complain(const struct host *host, const struct notice *notice, const char *what,
    const char *why)
{
	if (!host->settings->quiet)
		warn("dropping connection from %s, %s: %s", notice->remote,
		    what, why);
}

void
visit_status(const struct host *host)
{
	say(host, STATUS, host->places.count, host->places.max);
}

static void
notice_init(
    struct notice *n, const struct host *host, const struct client *client)
{
	const char *name = host->settings->local_host;

	n->host = host;
	n->client = client;
	ipaddr_format(&client->local.ip, n->local);
	ipaddr_format(&client->remote.ip, n->remote);
	snprintf(n->status, sizeof(n->status), STATUS, host->places.count + 1,
	    host->places.max);
	snprintf(n->ends, sizeof(n->ends), "%.*s:%s:%u :%s::%u",
	    HOST_NAME_BYTES, name == NULL ? "" : name, n->local,
	    (unsigned)client->local.port, n->remote,
	    (unsigned)client->remote.port);
}

/* Decimal digits at the end of the room, and where they begin. */
static const char *
write_number(char room[NUMBER_BYTES], pid_t n)
{
	char *at = room + NUMBER_BYTES - 1;

	*at = '\0';
	for (; n > 0; n /= 10)
		*--at = (char)('0' + n % 10);
	return at;
}

/*
 * In the child, which knows its number, and before what it becomes can speak:
 * system calls and the stack, see spawn.h.
 */
static void
say_ok(void *arg)
{
	const struct notice *n = arg;
	char digits[NUMBER_BYTES];
	const char *pid = write_number(digits, getpid());
	const char *words[] = { n->status, "tcpserver: pid ", pid, " from ",
		n->remote, "\ntcpserver: ok ", pid, " ", n->ends, "\n" };
	enum { WORDS = sizeof(words) / sizeof(*words) };
	struct iovec parts[WORDS];

	if (!n->host->settings->verbose)
		return;
	for (size_t i = 0; i < WORDS; i++)
		parts[i] = (struct iovec){ .iov_base = (char *)words[i],
			.iov_len = strlen(words[i]) };
	/* Where nobody reads, a signal waits, as all are blocked: it goes. */
	if (writev(STDERR_FILENO, parts, WORDS) < 0)
		signal(SIGPIPE, SIG_IGN);
}

/* "NAME=value" of what the rule has not said otherwise. */
static void
add_fact(char facts[FACTS_MAX][FACT_BYTES], char **more, size_t *count,
    const struct ruling *ruling, const char *name, const char *value)
{
	size_t at = *count - ruling->count;

	if (value == NULL || ruling_get(ruling, name) != NULL)
		return;
	snprintf(
	    facts[at], FACT_BYTES, "%s=%.*s", name, HOST_NAME_BYTES, value);
	more[(*count)++] = facts[at];
}

/* The program, with the client as descriptors 0 and 1. */
static int
start(struct host *host, struct notice *n, pid_t *pid)
{
	const struct settings *set = host->settings;
	const struct ruling *ruling = &host->ruling;
	char facts[FACTS_MAX][FACT_BYTES];
	char *more[RULE_VARIABLES_MAX + FACTS_MAX + 1];
	char local_port[8], remote_port[8];
	volatile int start_error = 0;
	struct spawn how = {
		.path = set->program[0],
		.argv = set->program,
		.fds = {n->client->fd, n->client->fd, STDERR_FILENO},
		.fd_count = 3,
		.before = say_ok,
		.before_arg = n,
		.start_error = &start_error
	};
	size_t count = ruling->count;
	bool is_v6 = n->client->local.ip.family == AF_INET6;
	int r;

	snprintf(local_port, sizeof(local_port), "%u",
	    (unsigned)n->client->local.port);
	snprintf(remote_port, sizeof(remote_port), "%u",
	    (unsigned)n->client->remote.port);
	memcpy(more, ruling->variables, count * sizeof(*more));
	add_fact(facts, more, &count, ruling, "PROTO", is_v6 ? "TCP6" : "TCP");
	add_fact(facts, more, &count, ruling, "TCPLOCALIP", n->local);
	add_fact(facts, more, &count, ruling, "TCPLOCALPORT", local_port);
	add_fact(facts, more, &count, ruling, "TCPLOCALHOST", set->local_host);
	add_fact(facts, more, &count, ruling, "TCPREMOTEIP", n->remote);
	add_fact(facts, more, &count, ruling, "TCPREMOTEPORT", remote_port);
	more[count] = NULL;
	how.envp = env_with(more);
	if (how.envp == NULL)
		return QE_NOMEM;
	r = spawn_program(&how, pid);
	free((void *)how.envp);
	if (r == 0 && start_error != 0 && !set->quiet)
		warn("unable to run %s: %s", set->program[0],
		    error_text(start_error));
	return r;
}

/* Never waits: a client that takes nothing in gets nothing. */
static void
send_text(const struct client *client, const char *text, const char *line_end)
{
	struct iovec parts[2] = {
		{(char *)text,      strlen(text)    },
		{ (char *)line_end, strlen(line_end)}
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		errno = 0; /* it will see the end of the connection */
}

/* 0: as many as there are places. */
static uint64_t
limit_of_client(const struct host *host)
{
	const char *rule = ruling_get(&host->ruling, "MAXCONNIP");
	uint64_t limit = host->settings->per_client;

	if (rule != NULL &&
	    strv_to_u64(strv_of(rule), PLACES_MAX, &limit) != 0) {
		if (!host->settings->quiet)
			warn("MAXCONNIP is %s in %s, not a number up to %d",
			    rule, host->rules.path, PLACES_MAX);
		limit = 1;
	}
	return limit;
}

/* False for a client that is refused. */
static bool
may_come_in(struct host *host, const struct notice *n)
{
	const struct ipaddr *ip = &n->client->remote.ip;
	int r = rules_find(&host->rules, ip, &host->ruling);
	const char *farewell;
	uint64_t limit;

	if (r != 0) {
		complain(host, n, host->rules.path, error_result_text(r));
		return false;
	}
	if (host->ruling.deny) {
		say(host, "tcpserver: deny 0 %s\n", n->ends);
		return false;
	}
	limit = limit_of_client(host);
	if (limit == 0 || places_of(&host->places, ip) < limit)
		return true;
	complain(host, n, "all its places are taken", "see -C");
	farewell = ruling_get(&host->ruling, "DIEMSG");
	if (farewell != NULL)
		send_text(n->client, farewell, "\r\n");
	return false;
}

static void
prepare(const struct host *host, const struct client *client)
{
	int on = 1;

	/* What cannot be set changes speed and routes, nothing else. */
	if (host->settings->no_delay)
		(void)setsockopt(
		    client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!host->settings->keep_options && client->local.ip.family == AF_INET)
		(void)setsockopt(client->fd, IPPROTO_IP, IP_OPTIONS, NULL, 0);
	if (host->settings->banner != NULL)
		send_text(client, host->settings->banner, "");
}

void
visit_begin(struct host *host, struct client *client)
{
	struct notice n;
	pid_t pid = -1;
	int r;

	notice_init(&n, host, client);
	prepare(host, client);
	if (may_come_in(host, &n)) {
		r = start(host, &n, &pid);
		if (r != 0)
			complain(host, &n, "unable to start a process",
			    error_result_text(r));
		else
			places_take(&host->places, pid, &client->remote.ip);
	}
	io_close(&client->fd);
}

void
visit_end(struct host *host, pid_t pid, int status)
{
	if (places_leave(&host->places, pid))
		say(host, "tcpserver: end %ld status %d\n" STATUS, (long)pid,
		    status, host->places.count, host->places.max);
}
