/*
 * rblsmtpd: stands between tcpserver and an SMTP server, and asks lists in
 * the DNS about the client.  Who is listed hears why, and gets no further; or
 * with -e, is let in and marked by $BLACKLISTED.
 *
 * Runs as whoever starts it (qmaild).  Reads the environment, control/
 * dnsservers and control/blacklistto; talks to DNS servers and, where it
 * refuses, to the client on descriptors 0 and 1; logs on 2.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/env.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/log.h"
#include "base/options.h"
#include "base/program.h"
#include "conf/control.h"
#include "smtp/rbl.h"
#include "smtpd/rbl_refuse.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
	TALK_SECONDS = 60, /* of the refusing conversation */
	ASK_SECONDS = 5,   /* for all look-ups together */
	SECONDS_MAX = 86400,
	ADDRESS_MAX = 1002
};

static const char usage[] =
    "rblsmtpd [-bBcCeR] [-t seconds] [-T seconds] [-r zone[:text]] ... "
    "[-a zone] ... program [argument ...]";

static const struct program program = {
	.name = "rblsmtpd",
	.flags = PROGRAM_FD0 | PROGRAM_FD1 | PROGRAM_KEEP_UMASK,
};

struct rblsmtpd {
	struct rbl_policy policy;
	bool catches; /* -e */
	int64_t talk_seconds, ask_seconds;
	struct rbl_source sources[RBL_SOURCES_MAX];
	struct dns_question questions[RBL_SOURCES_MAX];
	struct ipaddr_list addresses[RBL_SOURCES_MAX];
	struct buf texts[RBL_SOURCES_MAX], names[RBL_SOURCES_MAX];
	size_t count;
	struct strv ip_text;
	struct rbl_verdict verdict;
};

static void
say(const struct rblsmtpd *r, const char *about, const char *text)
{
	struct buf line = BUF_LIMIT(2 * LOG_LINE_MAX);

	buf_addf(&line, STRV_FMT " pid %ld: %s%s", STRV_ARG(r->ip_text),
	    (long)getpid(), about, text);
	if (line.err == 0)
		log_message(STDERR_FILENO, die_name(), buf_view(&line));
	buf_free(&line);
}

static int64_t
seconds(const char *option)
{
	uint64_t n;

	if (strv_to_u64(strv_of(option), SECONDS_MAX, &n) != 0 || n == 0)
		die(EX_PERMANENT, "%s: not a number of seconds from 1 to %d",
		    option, SECONDS_MAX);
	return (int64_t)n;
}

static void
add_source(struct rblsmtpd *r, const char *option, bool is_anti)
{
	if (r->count == RBL_SOURCES_MAX)
		die(EX_PERMANENT, "more than %d sources", RBL_SOURCES_MAX);
	if (rbl_source_parse(strv_of(option), is_anti, &r->sources[r->count]) !=
	    0)
		die(EX_PERMANENT, "%s: neither a zone nor zone:text", option);
	r->count++;
}

static void
take_option(struct rblsmtpd *r, int letter, const char *arg)
{
	switch (letter) {
	case 'b':
	case 'B':
		r->policy.permanent = letter == 'b';
		break;
	case 'c':
	case 'C':
		r->policy.closed = letter == 'c';
		break;
	case 'e':
		r->catches = true;
		break;
	case 'R': /* there is no source that would be asked without -r */
		break;
	case 't':
		r->talk_seconds = seconds(arg);
		break;
	case 'T':
		r->ask_seconds = seconds(arg);
		break;
	case 'r':
	case 'a':
		add_source(r, arg, letter == 'a');
		break;
	default:
		die_usage(usage);
	}
}

/*
 * A control file of the home, without leaving the directory that the program
 * may be relative to.  0, QE_ABSENT, or what is wrong in err.
 */
static int
read_control(enum ctl id, struct buf *out, struct control_error *err)
{
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = QE_ABSENT;

	if (here < 0)
		die_errno(EX_TEMPORARY, "unable to open this directory");
	if (chdir(program_home()) == 0)
		r = control_line(id, out, err);
	else if (control_variable(id) != NULL)
		r = control_line(id, out, err);
	if (fchdir(here) < 0)
		die_errno(EX_TEMPORARY, "unable to go back");
	close(here);
	return r;
}

static void
prepare(struct rblsmtpd *r, const struct ipaddr *ip)
{
	for (size_t i = 0; i < r->count; i++) {
		struct dns_question *q = &r->questions[i];

		r->names[i].max = 2 * DNS_NAME_MAX;
		r->texts[i].max = RBL_TEXT_MAX;
		rbl_name(ip, r->sources[i].zone, &r->names[i]);
		q->name = buf_view(&r->names[i]);
		q->type = r->sources[i].asks_address ? DNS_A : DNS_TXT;
		q->found.addresses = &r->addresses[i];
		q->found.text = &r->texts[i];
	}
}

static bool
is_decided(void *context)
{
	struct rblsmtpd *r = context;

	return rbl_decide(r->sources, r->questions, r->count, &r->policy, false,
	    r->ip_text, &r->verdict);
}

/* Sources that were of no use; after a decision nobody waits for the rest. */
static void
log_useless(const struct rblsmtpd *r, bool decided)
{
	for (size_t i = 0; i < r->count; i++) {
		struct buf about = BUF_LIMIT(2 * DNS_NAME_MAX);
		int result = rbl_answer(&r->sources[i], &r->questions[i]);

		bool done = r->questions[i].done;

		if (result == 0 || result == QE_ABSENT || (decided && !done))
			continue;
		buf_addf(&about, STRV_FMT ": ", STRV_ARG(r->sources[i].zone));
		if (buf_cstr(&about) != NULL)
			say(r, about.data,
			    done ? "no answer that could be used"
				 : "no answer in time");
		buf_free(&about);
	}
}

static void
look_up(struct rblsmtpd *r, const struct ipaddr *ip)
{
	struct buf servers = BUF_LIMIT(4096);
	struct control_error err = { .text = "unable to read dnsservers" };
	struct dns *dns = NULL;
	bool decided = false;
	int result = read_control(CTL_DNSSERVERS, &servers, &err);

	prepare(r, ip);
	if (result == 0 || result == QE_ABSENT)
		result =
		    dns_open(buf_view(&servers), r->ask_seconds * 1000, &dns);
	else
		say(r, "", err.text);
	if (result == QE_SYNTAX)
		say(r, "", "control/dnsservers: not a list of addresses");
	if (result == 0) {
		result = dns_ask_all(dns, r->questions, r->count,
		    clock_deadline(r->ask_seconds), is_decided, r);
		decided = result == 0 && is_decided(r);
	}
	if (!decided)
		(void)rbl_decide(r->sources, r->questions, r->count, &r->policy,
		    true, r->ip_text, &r->verdict);
	log_useless(r, decided);
	dns_close(&dns);
	buf_free(&servers);
}

/* $RBLSMTPD, or what the sources say. */
static void
judge(struct rblsmtpd *r)
{
	struct strv told = strv_of(env_get("RBLSMTPD"));
	struct ipaddr ip;

	r->verdict.kind = RBL_CLEAN;
	if (env_get("RBLSMTPD") == NULL) {
		if (r->count > 0 && ipaddr_parse(r->ip_text, &ip) == 0)
			look_up(r, &ip);
		return;
	}
	if (told.len == 0)
		return;
	r->verdict.kind = RBL_LISTED;
	r->verdict.code = 451;
	if (told.ptr[0] == '-') {
		r->verdict.code = 553;
		told = strv_skip(told, 1);
	}
	rbl_text(told, r->ip_text, r->verdict.text);
}

static bool
is_address(struct strv v)
{
	size_t at = strv_rfind(v, '@');

	return at != STRV_NPOS && at > 0 && at < v.len - 1 &&
	       v.len <= ADDRESS_MAX;
}

/* -e: true if the client is marked and the server may have it. */
static bool
mark(const struct rblsmtpd *r)
{
	struct control_error err = { .text = "no such file" };
	struct buf to = BUF_LIMIT(ADDRESS_MAX);
	bool marked = is_address(strv_of(env_get("BLACKLISTED")));
	int result = marked ? 0 : read_control(CTL_BLACKLISTTO, &to, &err);

	if (!marked && result == 0 && is_address(buf_view(&to)) &&
	    buf_cstr(&to) != NULL)
		marked = env_set("BLACKLISTED", to.data) == 0;
	if (marked)
		say(r, "marked: ", r->verdict.text);
	else if (result != 0 && result != QE_ABSENT)
		say(r, "", err.text);
	else
		say(r, "", "control/blacklistto: no address, so refusing");
	buf_free(&to);
	return marked;
}

static void
fill(const char *variable, const char *otherwise, char out[RBL_TEXT_MAX + 1],
    struct strv ip)
{
	const char *text = env_get(variable);

	rbl_text(strv_of(text == NULL ? otherwise : text), ip, out);
}

static void
refuse(const struct rblsmtpd *r)
{
	char greet[RBL_TEXT_MAX + 1], accept[RBL_TEXT_MAX + 1];
	char quit[RBL_TEXT_MAX + 1], code[8];
	const struct rbl_refusal refusal = { r->verdict.code, r->verdict.text,
		greet, accept, quit, r->talk_seconds };

	fill("RBL_GREET", "rblsmtpd.local", greet, r->ip_text);
	fill("RBL_ACCEPT", "rblsmtpd.local", accept, r->ip_text);
	fill("RBL_QUIT", "rblsmtpd.local", quit, r->ip_text);
	memcpy(code, r->verdict.code == 553 ? "553 " : "451 ", 5);
	say(r, code, r->verdict.text);
	rbl_refuse(STDIN_FILENO, STDOUT_FILENO, &refusal);
}

static void
release(struct rblsmtpd *r)
{
	for (size_t i = 0; i < r->count; i++) {
		ipaddr_list_free(&r->addresses[i]);
		buf_free(&r->texts[i]);
		buf_free(&r->names[i]);
	}
}

/* It starts as tcpserver would have started it. */
static _Noreturn void
run_server(char **argv)
{
	int errnum;

	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	execvp(argv[0], argv);
	errnum = errno;
	die_errno(error_is_temporary(errnum) ? EX_TEMPORARY : EX_PERMANENT,
	    "unable to run %s", argv[0]);
}

int
main(int argc, char **argv)
{
	struct rblsmtpd r;
	struct options o;
	int letter;

	memset(&r, 0, sizeof(r));
	program_begin(&program);
	r.talk_seconds = TALK_SECONDS;
	r.ask_seconds = ASK_SECONDS;
	options_init(&o, argc, argv, "bBcCeRt:T:r:a:");
	while ((letter = options_next(&o)) != -1)
		take_option(&r, letter, o.arg);
	if (o.index >= argc)
		die_usage(usage);
	r.ip_text = strv_of(env_get("TCPREMOTEIP"));
	if (r.ip_text.len == 0)
		r.ip_text = STRV("unknown");
	judge(&r);
	release(&r);
	if (r.verdict.kind == RBL_CLEAN ||
	    (r.catches && r.verdict.kind == RBL_LISTED && mark(&r)))
		run_server(argv + o.index);
	refuse(&r);
	return 0;
}
