/*
 * qmail-mtasts domain: finds out which MTA-STS policy a domain has, and keeps
 * it in cache/remote/mtasts of the home (qmail-mtasts(8)).
 *
 * Run by qmail-remote as qmailr, for a domain that it has not looked at within
 * an hour; by hand it also prints what it has found.  Reads control/cafile and
 * dnsservers.  The only program that links libcurl: it speaks HTTPS to hosts
 * that strangers choose, so it never runs as root.
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/dns.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/program.h"
#include "conf/control.h"
#include "remote/https.h"
#include "remote/mtasts.h"
#include "remote/mtasts_store.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
	LOOKUP_MS = 10000,
	SECONDS_MAX = 60, /* of all; qmail-remote waits a little longer */
	TXT_BYTES_MAX = 16384
};

struct work {
	const char *domain;
	struct dns *dns;
	struct buf old_bytes; /* what was kept so far */
	struct sts_file old;
	bool has_old;
	char id[STS_ID_MAX + 1]; /* of the record in the DNS; "": none */
};

static void
load_controls(struct work *w)
{
	struct buf servers = BUF_INIT;
	struct control_error err;
	int r = control_line(CTL_DNSSERVERS, &servers, &err);

	if (r != 0 && r != QE_ABSENT)
		die(EX_TEMPORARY, "unable to read %s", err.text);
	if (dns_open(buf_view(&servers), LOOKUP_MS, &w->dns) < 0)
		die(EX_TEMPORARY, "unable to use the name servers");
	buf_free(&servers);
}

/* The strings of a TXT record, one behind the other. */
static void
join_strings(struct strv record, struct buf *out)
{
	while (record.len > 0) {
		size_t len = (unsigned char)record.ptr[0];

		buf_add_view(out, strv_head(strv_skip(record, 1), len));
		record = strv_skip(record, 1 + len);
	}
}

/*
 * RFC 8461 section 3.1: just one record of this kind, or it is as if there
 * were none.  0, or QE_TEMP: the DNS does not tell.
 */
static int
find_id(struct work *w)
{
	struct buf raw = BUF_LIMIT(TXT_BYTES_MAX), text = BUF_INIT;
	char name[STS_NAME_MAX + 16];
	struct strv rest, record, id;
	int found = 0;
	int r;

	snprintf(name, sizeof(name), "_mta-sts.%s", w->domain);
	r = dns_txt(w->dns, strv_of(name), &raw);
	rest = buf_view(&raw);
	while (r == 0 && dns_raw_next(&rest, &record)) {
		buf_reset(&text);
		join_strings(record, &text);
		if (sts_record_parse(buf_view(&text), &id) == 0) {
			found++;
			snprintf(w->id, sizeof(w->id), STRV_FMT, STRV_ARG(id));
		}
	}
	if (found != 1)
		w->id[0] = '\0';
	buf_free(&raw);
	buf_free(&text);
	return r == 0 || r == QE_ABSENT || r == QE_DENIED || r == QE_SYNTAX
		   ? 0
		   : QE_TEMP;
}

/* The policy we have is this one, and not near its end. */
static bool
is_up_to_date(const struct work *w, int64_t now)
{
	return w->has_old && sts_file_holds(&w->old, now) &&
	       now - w->old.fetched < w->old.policy.max_age / 2 &&
	       strv_eq(w->old.id, strv_of(w->id));
}

/* 0 and a text that parses, or a negative code. */
static int
fetch(struct work *w, struct buf *text)
{
	char host[STS_NAME_MAX + 16], why[HTTPS_ERROR_MAX];
	struct sts_policy policy;
	struct https_request request = { .host = host,
		.path = "/.well-known/mta-sts.txt",
		.ca_file = control_exists(CTL_CAFILE) ? "control/cafile" : NULL,
		.timeout_s = SECONDS_MAX / 2 };
	int r;

	snprintf(host, sizeof(host), "mta-sts.%s", w->domain);
	r = https_get(w->dns, &request, text, why);
	if (r < 0) {
		warn("unable to fetch the policy from %s: %s", host, why);
		return r;
	}
	r = sts_policy_parse(buf_view(text), &policy);
	if (r < 0)
		warn("the policy of %s makes no sense", host);
	return r;
}

static void
keep(struct work *w, int64_t now, struct strv text)
{
	struct mtasts_entry entry = { .checked = now, .id = STRV_EMPTY };

	if (text.len > 0) {
		entry.fetched = now;
		entry.id = strv_of(w->id);
		entry.text = text;
	} else if (w->has_old && sts_file_holds(&w->old, now)) {
		entry.fetched = w->old.fetched;
		entry.id = w->old.id;
		entry.text = w->old.text;
	}
	if (mtasts_store(w->domain, &entry) < 0)
		die_errno(EX_TEMPORARY, "unable to write %s/%s",
		    MTASTS_DIRECTORY, w->domain);
	if (entry.text.len > 0)
		(void)io_write_all(1, entry.text.ptr, entry.text.len);
}

static int
find_out(struct work *w)
{
	struct buf text = BUF_LIMIT(STS_POLICY_BYTES_MAX);
	int64_t now = clock_wall();
	int r = find_id(w);

	w->has_old =
	    mtasts_read(strv_of(w->domain), &w->old_bytes, &w->old) == 0;
	if (r < 0)
		warn("the DNS does not tell about _mta-sts.%s", w->domain);
	if (r == 0 && w->id[0] != '\0' && !is_up_to_date(w, now))
		r = fetch(w, &text);
	/* Also after a failure: for a while it is not tried again. */
	keep(w, now, r == 0 ? buf_view(&text) : STRV_EMPTY);
	buf_free(&text);
	return r == 0 ? EX_SUCCESS : EX_TEMPORARY;
}

int
main(int argc, char **argv)
{
	static const struct program program = {
		.name = "qmail-mtasts", .flags = PROGRAM_HOME, .umask = 022
	};
	struct work w = { .old_bytes = BUF_LIMIT(STS_FILE_BYTES_MAX) };
	int code;

	program_begin(&program);
	if (argc != 2 || !sts_is_domain(strv_of(argv[1])))
		die_usage("qmail-mtasts domain");
	if (geteuid() == 0)
		die(EX_PERMANENT,
		    "root is not to talk to strangers; use setuidgid qmailr");
	w.domain = argv[1];
	signal(SIGALRM, SIG_DFL);
	alarm(SECONDS_MAX);
	load_controls(&w);
	code = find_out(&w);
	dns_close(&w.dns);
	buf_free(&w.old_bytes);
	return code;
}
