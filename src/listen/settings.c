/* The command line of qmail-listen, which is tcpserver's. */
#include "listen/settings.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/options.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "qmail-listen [-1dDHoOPqQRUvX] [-b backlog] [-B banner] [-c limit] "
    "[-C limit] [-g gid] [-l name] [-u uid] [-x rules.cdb] "
    "address[,address] port program [arg ...]";

static uint64_t
number(const char *what, const char *text, uint64_t least, uint64_t most)
{
	uint64_t n;

	if (strv_to_u64(strv_of(text), most, &n) != 0 || n < least)
		die(EX_PERMANENT, "%s is %s, not a number from %llu to %llu",
		    what, text, (unsigned long long)least,
		    (unsigned long long)most);
	return n;
}

static void
set_uid(struct settings *s, const char *what, const char *text)
{
	s->uid = (uid_t)number(what, text, 0, UINT32_MAX - 1);
	s->drop = true;
}

static void
set_gid(struct settings *s, const char *what, const char *text)
{
	s->gid = (gid_t)number(what, text, 0, UINT32_MAX - 1);
	s->drop = true;
}

/* -U: as envuidgid(8) leaves them. */
static void
ids_of_environment(struct settings *s)
{
	const char *uid = env_get("UID"), *gid = env_get("GID");

	if (uid == NULL || gid == NULL)
		die(EX_PERMANENT, "-U needs $UID and $GID, see envuidgid(8)");
	set_gid(s, "$GID", gid);
	set_uid(s, "$UID", uid);
}

static void
add_address(struct settings *s, const struct ipaddr *ip)
{
	if (s->address_count == DOORS_MAX)
		die(EX_PERMANENT, "more than %d addresses", DOORS_MAX);
	s->addresses[s->address_count++] = *ip;
}

/* "0" is any IPv4 address of this host, as it always was. */
static void
parse_addresses(struct settings *s, const char *text)
{
	struct strv rest = strv_of(text);
	bool more = true;

	while (more) {
		struct strv word = strv_cut(&rest, ',', &more);
		struct ipaddr ip;

		if (strv_eq(word, STRV("0")))
			word = STRV("0.0.0.0");
		if (ipaddr_parse(word, &ip) != 0)
			die(EX_PERMANENT,
			    STRV_FMT " is no address: write 0 for any of IPv4, "
				     ":: for any, or one as 192.0.2.1 or "
				     "2001:db8::1",
			    STRV_ARG(word));
		add_address(s, &ip);
	}
}

static void
parse_port(struct settings *s, const char *text)
{
	const struct servent *known;
	uint64_t n;

	if (strv_to_u64(strv_of(text), UINT16_MAX, &n) == 0) {
		s->port = (uint16_t)n;
		return;
	}
	known = getservbyname(text, "tcp");
	if (known == NULL)
		die(EX_PERMANENT,
		    "%s is neither a port nor a service of /etc/services",
		    text);
	s->port = ntohs((uint16_t)known->s_port);
}

/* What has no argument. */
static void
parse_flag(struct settings *s, int letter)
{
	switch (letter) {
	case 'v':
	case 'Q':
	case 'q':
		s->verbose = letter == 'v';
		s->quiet = letter == 'q';
		break;
	case 'X':
		s->rules_optional = true;
		break;
	case '1':
		s->print_port = true;
		break;
	case 'd':
	case 'D':
		s->no_delay = letter == 'D';
		break;
	case 'o':
	case 'O':
		s->keep_options = letter == 'o';
		break;
	case 'U':
		ids_of_environment(s);
		break;
	case 'H':
	case 'R':
	case 'P':
		break; /* never otherwise */
	case 'h':
	case 'r':
	case 'p':
	case 't':
		die(EX_PERMANENT,
		    "-%c asks name servers or clients about each client; "
		    "tcpserver(1) can, this program does not",
		    letter);
	default:
		die_usage(usage);
	}
}

static void
parse_option(struct settings *s, int letter, const char *arg)
{
	switch (letter) {
	case 'b':
		s->backlog = (int)number("-b", arg, 1, BACKLOG_MAX);
		break;
	case 'B':
		s->banner = arg;
		break;
	case 'c':
		s->places = number("-c", arg, 1, PLACES_MAX);
		break;
	case 'C':
		s->per_client = number("-C", arg, 0, PLACES_MAX);
		break;
	case 'g':
		set_gid(s, "-g", arg);
		break;
	case 'l':
		s->local_host = arg;
		break;
	case 'u':
		set_uid(s, "-u", arg);
		break;
	case 'x':
		s->rules = arg;
		break;
	default:
		parse_flag(s, letter);
	}
}

void
settings_parse(struct settings *s, int argc, char **argv)
{
	struct options o;
	int letter;

	*s = (struct settings){ .places = PLACES_DEFAULT,
		.backlog = BACKLOG_DEFAULT,
		.uid = getuid(),
		.gid = getgid() };
	options_init(&o, argc, argv, "1b:B:c:C:dDg:hHl:oOpPqQrRt:u:UvXx:");
	while ((letter = options_next(&o)) != -1)
		parse_option(s, letter, o.arg);
	if (argc - o.index < 3)
		die_usage(usage);
	parse_addresses(s, argv[o.index]);
	parse_port(s, argv[o.index + 1]);
	s->program = argv + o.index + 2;
}
