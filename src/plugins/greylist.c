/*
 * greylist: a plugin of qmail-smtpd for [rcpt] that asks senders nobody knows
 * to come again, which programs that only send spam seldom do.
 *
 * Runs as qmaild.  Keeps one table of fixed size in cache/greylist; reads its
 * environment, writes commands of smtp-plugins(5) on descriptor 1 and trouble
 * on 2.  In doubt mail passes.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/hashfile.h"
#include "base/io.h"
#include "base/net.h"
#include "base/options.h"
#include "base/program.h"

#include <unistd.h>

enum {
	MISUSE = 120,   /* nothing passes a plugin that is set up wrongly */
	BUCKETS = 8192, /* of 8: 65536 triples, 2 MiB */
	DELAY_DEFAULT = 300,
	WINDOW_DEFAULT = 2 * 86400,
	LIFE_DEFAULT = 36 * 86400,
	SECONDS_MAX = 366 * 86400,
	BITS_4 = 24,
	BITS_6 = 64
};

#define TABLE "cache/greylist/triples"

static const char usage[] =
    "greylist [-d delay] [-w window] [-l lifetime] [-f file]";

static const struct program program = {
	.name = "greylist",
	.flags = PROGRAM_FD1,
	.umask = 077,
};

struct greylist {
	const char *path;
	int64_t delay, window, life;
	int64_t now;
	int64_t wait; /* what the client is told; 0: it may pass */
};

static int64_t
seconds(const char *text)
{
	uint64_t n;

	if (strv_to_u64(strv_of(text), SECONDS_MAX, &n) != 0)
		die(MISUSE, "%s: not a number of seconds up to %d", text,
		    SECONDS_MAX);
	return (int64_t)n;
}

/*
 * first: when it came first; last: when it passed last.  Who comes too early
 * waits on, who comes too late or after too long begins again.
 */
static bool
judge(struct hashfile_record *record, bool found, void *context)
{
	struct greylist *g = context;
	int64_t age = g->now - record->first;

	if (found && record->last > 0 && record->last <= g->now &&
	    g->now - record->last < g->life) {
		g->wait = 0;
		record->last = g->now;
		return true;
	}
	if (found && record->last == 0 && age >= 0 && age < g->window) {
		g->wait = age < g->delay ? g->delay - age : 0;
		record->last = g->wait == 0 ? g->now : 0;
		return g->wait == 0;
	}
	record->first = g->now;
	record->last = g->delay == 0 ? g->now : 0;
	g->wait = g->delay;
	return true;
}

/* The client's net, not its address: many hosts share the work of sending. */
static void
feed_net(struct siphash *hash, const struct ipaddr *ip)
{
	size_t bytes = (ip->family == AF_INET ? BITS_4 : BITS_6) / 8;

	siphash_feed(hash, strv_from((const char *)ip->bytes, bytes));
	siphash_feed(hash, STRV("\0"));
}

static void
feed_address(struct siphash *hash, const char *address)
{
	struct buf lower = BUF_INIT;

	buf_add_lower(&lower, strv_of(address));
	buf_add_char(&lower, '\0');
	siphash_feed(hash, buf_view(&lower));
	buf_free(&lower);
}

static int
look_up(struct greylist *g, const struct ipaddr *ip)
{
	unsigned char key[SIPHASH_SIZE];
	struct hashfile table;
	struct siphash hash;
	int r = hashfile_open(g->path, BUCKETS, &table);

	if (r != 0)
		return r;
	siphash_init(&hash, table.secret);
	feed_net(&hash, ip);
	feed_address(&hash, env_get("SMTPMAILFROM"));
	feed_address(&hash, env_get("SMTPRCPTTO"));
	siphash_end(&hash, key);
	r = hashfile_update(&table, key, judge, g);
	hashfile_close(&table);
	return r;
}

/* Trusted clients, and what will be refused anyway, is not our matter. */
static bool
is_concerned(struct ipaddr *ip)
{
	const char *allowed = env_get("SMTPRCPTHOSTSOK");

	return env_get("RELAYCLIENT") == NULL &&
	       env_get("SMTPAUTHUSER") == NULL &&
	       env_get("SMTPRCPTTO") != NULL &&
	       !strv_eq(strv_of(allowed), STRV("0")) &&
	       ipaddr_parse(strv_of(env_get("TCPREMOTEIP")), ip) == 0;
}

static void
refuse(const struct greylist *g)
{
	struct buf out = BUF_LIMIT(256);

	buf_addf(&out,
	    "E451 4.7.1 please try again in %lld seconds (greylisting)\n",
	    (long long)g->wait);
	if (out.err != 0 || io_write_all(STDOUT_FILENO, out.data, out.len) != 0)
		die_errno(EX_TEMPORARY, "unable to write");
	buf_free(&out);
}

static void
take_option(struct greylist *g, int letter, const char *arg)
{
	switch (letter) {
	case 'd':
		g->delay = seconds(arg);
		break;
	case 'w':
		g->window = seconds(arg);
		break;
	case 'l':
		g->life = seconds(arg);
		break;
	case 'f':
		g->path = arg;
		break;
	default:
		die(MISUSE, "usage: %s", usage);
	}
}

int
main(int argc, char **argv)
{
	struct greylist g = { .path = TABLE,
		.delay = DELAY_DEFAULT,
		.window = WINDOW_DEFAULT,
		.life = LIFE_DEFAULT };
	struct options o;
	struct ipaddr ip;
	int letter, r;

	program_begin(&program);
	options_init(&o, argc, argv, "d:w:l:f:");
	while ((letter = options_next(&o)) != -1)
		take_option(&g, letter, o.arg);
	if (o.index != argc)
		die(MISUSE, "usage: %s", usage);
	if (!is_concerned(&ip))
		return 0;
	g.now = clock_wall();
	r = look_up(&g, &ip);
	if (r != 0)
		warn("%s: %s; letting all pass", g.path, error_result_text(r));
	else if (g.wait > 0)
		refuse(&g);
	return 0;
}
