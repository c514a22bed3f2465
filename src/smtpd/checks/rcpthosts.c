/*
 * Relay permission by domain: control/rcpthosts and morercpthosts.cdb, or
 * this host's own names where there is no rcpthosts.  Files that cannot be
 * read answer for no domain: the client is told to come back.
 */
#include "smtpd/checks/rcpthosts.h"
#include "base/error.h"
#include "mail/address.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"

int
rcpthosts_ask(
    struct notes *notes, struct strv domain, struct control_error *err)
{
	int r;

	*err = (struct control_error){ "unable to read control/rcpthosts" };
	if (notes->rcpthosts == NULL) {
		r = rcpthosts_open(&notes->rcpthosts, err);
		if (r != 0)
			return r == QE_ABSENT ? QE_SYS : r;
	}
	r = rcpthosts_find(notes->rcpthosts, domain);
	if (r != 0 && r != QE_ABSENT)
		*err = (struct control_error){
			"unable to read control/morercpthosts.cdb"
		};
	return r;
}

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct control_error err;
	int r = rcpthosts_ask(
	    notes, address_domain(buf_view(&s->tx.candidate)), &err);

	if (r == 0)
		return verdict_accept();
	if (r == QE_ABSENT)
		return verdict_pass();
	log_trouble(s, err.text);
	return verdict_reject(451, "4.3.0", "unable to read rcpthosts");
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
