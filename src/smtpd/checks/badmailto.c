/* control/badmailto: recipients that get no mail, but for postmaster. */
#include "smtpd/bmcheck.h"
#include "smtpd/checks/list.h"
#include "smtpd/pipeline.h"

static struct verdict
run(const struct session *s, struct notes *notes)
{
	static const struct bmcheck_kind kind = { BMCHECK_TO,
		"control/badmailto", "BADMAILTO", "NO_BADMAILTO", "BADMAILTO" };
	struct verdict hit = verdict_refuse(
	    553, "5.7.1", "sorry, your envelope recipient has been denied");

	return bmcheck_run(s, notes, &kind, buf_view(&s->tx.candidate), &hit);
}

static const enum ctl controls[] = { CTL_BADMAILTO, CTL_COUNT };

const struct check check_badmailto = {
	.name = "badmailto",
	.stage = STAGE_RCPT,
	.report = STAGE_RCPT,
	.skip = SKIP_POSTMASTER,
	.controls = controls,
	.run = run,
};
