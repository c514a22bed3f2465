/*
 * control/mxblacklist: a sender all of whose exchangers are addresses that
 * take nobody's mail (127.0.0.1, say) could never get a bounce.
 */
#include "base/error.h"
#include "smtpd/checks/list.h"
#include "smtpd/origin.h"
#include "smtpd/pipeline.h"

/* The first address that is not listed decides. */
static struct verdict
judge(struct origin *o)
{
	struct verdict v;
	struct ipaddr ip;
	size_t n = 0;
	int r;

	while ((r = exchangers_address(&o->exchangers, n, &ip)) == 0) {
		if (!nets_have(&o->blacklist, &ip))
			return verdict_pass();
		n++;
	}
	if (r != QE_EOF)
		return origin_unknown(r);
	/* Exchangers without an address are none of this check's business. */
	if (n == 0)
		return verdict_pass();
	v = verdict_reject(451, "4.1.8",
	    "bad sender's system address, your mx is blacklisted!");
	v.tarpit = TARPIT_REJECTION;
	return v;
}

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct verdict refusal;
	struct origin *o;
	int r;

	if (s->tx.sender.len == 0)
		return verdict_pass();
	o = origin_get(s, notes, &refusal);
	if (o == NULL)
		return refusal;
	if (o->blacklist.count == 0)
		return verdict_pass();
	r = origin_find(s, o);
	if (r == QE_ABSENT)
		return verdict_pass();
	return r == 0 ? judge(o) : origin_unknown(r);
}

static const enum ctl controls[] = { CTL_MXBLACKLIST, CTL_MFCHECKTIMEOUT,
	CTL_DNSSERVERS, CTL_COUNT };

const struct check check_mxblacklist = {
	.name = "mxblacklist",
	.stage = STAGE_RCPT,
	.report = STAGE_RCPT,
	.skip = SKIP_TRUSTED | SKIP_POSTMASTER | SKIP_GOOD_SENDER,
	.controls = controls,
	.run = run,
};
