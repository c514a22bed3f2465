/* control/badmailfrom: senders that are not wanted, whoever brings them. */
#include "smtpd/bmcheck.h"
#include "smtpd/checks/list.h"
#include "smtpd/pipeline.h"

static struct verdict
run(const struct session *s, struct notes *notes)
{
	static const struct bmcheck_kind kind = { BMCHECK_FROM,
		"control/badmailfrom", "BADMAILFROM", "NO_BADMAILFROM",
		"BADMAILFROM" };
	struct verdict hit = verdict_refuse(
	    553, "5.7.1", "sorry, your envelope sender has been denied");

	return bmcheck_run(s, notes, &kind, buf_view(&s->tx.sender), &hit);
}

static const enum ctl controls[] = { CTL_BADMAILFROM, CTL_COUNT };

const struct check check_badmailfrom = {
	.name = "badmailfrom",
	.stage = STAGE_MAIL,
	.report = STAGE_MAIL,
	.skip = SKIP_GOOD_SENDER,
	.controls = controls,
	.run = run,
};
