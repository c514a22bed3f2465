/*
 * The sender's domain, looked up for the checks that want it.  A session
 * whose checks are off costs two open(2) of absent files at its first
 * recipient, and nothing of the DNS.
 */
#include "smtpd/origin.h"
#include "base/clock.h"
#include "base/error.h"
#include "mail/address.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"

#include <stdlib.h>

struct verdict
origin_misconfigured(const struct session *s, const char *why)
{
	log_trouble(s, why);
	return verdict_reject(451, "4.3.0", "unable to read controls");
}

struct verdict
origin_unknown(int result)
{
	if (result == QE_NOMEM)
		return verdict_reject(451, "4.3.0", "out of memory");
	return verdict_reject(451, "4.4.3", "temporary failure in DNS");
}

/* Which of the two checks there is; and, if any, what both need. */
static int
load(struct origin *o, struct control_error *err)
{
	int r = control_int(CTL_MFCHECK, &o->level, err);

	if (r == 0)
		r = nets_load(CTL_MXBLACKLIST, &o->blacklist, err);
	if (r != 0 || (o->level == MFCHECK_OFF && o->blacklist.count == 0))
		return r;
	r = control_int(CTL_MFCHECKTIMEOUT, &o->seconds, err);
	if (r == 0)
		r = control_line(CTL_DNSSERVERS, &o->servers, err);
	return r;
}

struct origin *
origin_get(
    const struct session *s, struct notes *notes, struct verdict *refusal)
{
	struct control_error err = { .text = "unable to read controls" };
	struct origin *o = notes->origin;

	if (o == NULL)
		o = notes->origin = calloc(1, sizeof(*o));
	if (o == NULL) {
		*refusal = origin_unknown(QE_NOMEM);
		return NULL;
	}
	if (o->loaded)
		return o;
	if (load(o, &err) != 0) {
		*refusal = origin_misconfigured(s, err.text);
		origin_free(&notes->origin);
		return NULL;
	}
	o->loaded = true;
	return o;
}

static int
find(const struct session *s, struct origin *o)
{
	struct strv domain = address_domain(buf_view(&s->tx.sender));
	int64_t left = o->deadline_ms - clock_mono_ms();
	int r = 0;

	/* Nobody could write to it, whatever the DNS says of such a name. */
	if (address_breaks_path(buf_view(&s->tx.sender)))
		return QE_ABSENT;
	if (strv_starts(domain, STRV("[")))
		return exchangers_literal(&o->exchangers, domain);
	if (o->dns == NULL)
		r = dns_open(buf_view(&o->servers), left, &o->dns);
	if (r == QE_SYNTAX)
		log_trouble(s, "control/dnsservers: not a list of addresses");
	if (r != 0)
		return r == QE_NOMEM ? r : QE_TEMP;
	return exchangers_find(&o->exchangers, o->dns, domain, o->deadline_ms);
}

int
origin_find(const struct session *s, struct origin *o)
{
	if (!o->has_found) {
		o->deadline_ms = session_deadline(s, o->seconds);
		o->found = find(s, o);
		o->has_found = true;
	}
	return o->found;
}

void
origin_reset(struct origin *o)
{
	if (o == NULL)
		return;
	exchangers_free(&o->exchangers);
	o->has_found = false;
	o->is_judged = false;
}

void
origin_free(struct origin **origin)
{
	struct origin *o = *origin;

	if (o == NULL)
		return;
	origin_reset(o);
	nets_free(&o->blacklist);
	buf_free(&o->helo);
	buf_free(&o->servers);
	dns_close(&o->dns);
	free(o);
	*origin = NULL;
}
