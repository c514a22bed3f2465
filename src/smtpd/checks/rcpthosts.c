/*
 * Relay permission by domain: control/rcpthosts and morercpthosts.cdb, or
 * this host's own names where there is no rcpthosts.  Files that cannot be
 * read answer for no domain: the client is told to come back.
 */
#include "base/error.h"
#include "mail/address.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"

static struct verdict
unreadable(const struct session *s, const char *why)
{
	log_trouble(s, why);
	return verdict_reject(451, "4.3.0", "unable to read rcpthosts");
}

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct control_error err = { .text =
					 "unable to read control/rcpthosts" };
	int r;

	if (notes->rcpthosts == NULL &&
	    rcpthosts_open(&notes->rcpthosts, &err) != 0)
		return unreadable(s, err.text);
	r = rcpthosts_find(
	    notes->rcpthosts, address_domain(buf_view(&s->tx.candidate)));
	if (r == 0)
		return verdict_accept();
	if (r == QE_ABSENT)
		return verdict_pass();
	return unreadable(s, "unable to read control/morercpthosts.cdb");
}

static const enum ctl controls[] = { CTL_RCPTHOSTS, CTL_MORERCPTHOSTS_CDB,
	CTL_ME, CTL_LOCALS, CTL_VIRTUALDOMAINS, CTL_COUNT };

const struct check check_rcpthosts = {
	.name = "rcpthosts",
	.stage = STAGE_RELAY,
	.report = STAGE_RELAY,
	.controls = controls,
	.run = run,
};
