/*
 * tcp-env [-rR] [-t seconds] program ...: tells a program that inetd starts
 * about its connection, as tcpserver would; tcp-env(1).
 *
 * The connection is descriptor 0.  Unless $PROTO says that somebody has done
 * this already.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/ident.h"
#include "base/options.h"
#include "base/program.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { IDENT_SECONDS = 30, IDENT_SECONDS_MAX = 3600, HOST_MAX = 1025 };

static const char usage[] =
    "tcp-env [ -rR ] [ -t timeout ] program [ arg ... ]";

struct end {
	struct sockaddr_storage address;
	socklen_t len;
	struct ipaddr ip;
	uint16_t port;
};

static void
set(const char *name, const char *value)
{
	if (value == NULL)
		env_unset(name);
	else if (env_set(name, value) != 0)
		die_nomem();
}

/* False for what is no address of the internet. */
static bool
fill(struct end *end)
{
	return net_from_sockaddr(
	    (const struct sockaddr *)&end->address, &end->ip, &end->port);
}

/* The name of an address, in lower case; NULL if it has none. */
static const char *
name_of(const struct end *end, char host[HOST_MAX])
{
	struct sockaddr_storage plain;
	socklen_t len = net_sockaddr(&end->ip, 0, &plain);
	int r = getnameinfo((struct sockaddr *)&plain, len, host, HOST_MAX,
	    NULL, 0, NI_NAMEREQD);

	if (r == EAI_AGAIN)
		return "softdnserror";
	if (r != 0)
		return NULL;
	for (char *p = host; *p != '\0'; p++)
		*p = ascii_lower(*p);
	return host;
}

static void
describe(const struct end *end, const char *ip_name, const char *port_name,
    const char *host_name)
{
	char ip[IPADDR_TEXT_MAX], port[8], host[HOST_MAX];

	ipaddr_format(&end->ip, ip);
	snprintf(port, sizeof(port), "%u", (unsigned)end->port);
	set(ip_name, ip);
	set(port_name, port);
	set(host_name, name_of(end, host));
}

static void
ask_ident(const struct end *local, const struct end *remote, int64_t seconds)
{
	const struct ident_question question = { local->ip, remote->ip,
		local->port, remote->port };
	struct buf user = BUF_LIMIT(IDENT_USER_MAX + 1);

	env_unset("TCPREMOTEINFO");
	if (ident_ask(&question, clock_deadline(seconds), &user) == 0)
		set("TCPREMOTEINFO", buf_cstr(&user));
	buf_free(&user);
}

/* Without a connection the program still runs, and knows that. */
static void
set_all(bool want_ident, int64_t seconds)
{
	struct end local = { .len = sizeof(local.address) };
	struct end remote = { .len = sizeof(remote.address) };

	set("PROTO", "TCP");
	if (getsockname(0, (struct sockaddr *)&local.address, &local.len) < 0 ||
	    getpeername(0, (struct sockaddr *)&remote.address, &remote.len) <
		0 ||
	    !fill(&local) || !fill(&remote)) {
		static const char *const names[] = { "TCPLOCALIP",
			"TCPLOCALPORT", "TCPLOCALHOST", "TCPREMOTEIP",
			"TCPREMOTEPORT", "TCPREMOTEHOST", "TCPREMOTEINFO" };

		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			env_unset(names[i]);
		return;
	}
	if (local.ip.family == AF_INET6)
		set("PROTO", "TCP6");
	describe(&local, "TCPLOCALIP", "TCPLOCALPORT", "TCPLOCALHOST");
	describe(&remote, "TCPREMOTEIP", "TCPREMOTEPORT", "TCPREMOTEHOST");
	if (want_ident)
		ask_ident(&local, &remote, seconds);
}

int
main(int argc, char **argv)
{
	static const struct program program = { "tcp-env",
		PROGRAM_KEEP_UMASK | PROGRAM_KEEP_SIGPIPE, 0 };
	uint64_t seconds = IDENT_SECONDS;
	bool want_ident = true;
	struct options o;
	const char *proto;
	int letter;

	program_begin(&program);
	options_init(&o, argc, argv, "rRt:");
	while ((letter = options_next(&o)) >= 0) {
		if (letter == '?' ||
		    (letter == 't' && strv_to_u64(strv_of(o.arg),
					  IDENT_SECONDS_MAX, &seconds) != 0))
			die_usage(usage);
		if (letter != 't')
			want_ident = letter == 'r';
	}
	if (o.index >= argc)
		die_usage(usage);
	proto = env_get("PROTO");
	if (proto == NULL || strncmp(proto, "TCP", 3) != 0)
		set_all(want_ident, (int64_t)seconds);
	execvp(argv[o.index], argv + o.index);
	die_errno(EX_TEMPORARY, "unable to run %s", argv[o.index]);
}
