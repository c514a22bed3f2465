/*
 * control/goodmailfrom: senders that badmailfrom and mfcheck leave alone.  It
 * opens nothing else: relay permission is another stage.
 */
#include "smtpd/bmcheck.h"
#include "smtpd/checks/list.h"
#include "smtpd/pipeline.h"

static struct verdict
run(const struct session *s, struct notes *notes)
{
	static const struct bmcheck_kind kind = { BMCHECK_GOOD,
		"control/goodmailfrom", "GOODMAILFROM", "NO_GOODMAILFROM",
		"GOODMAILFROM" };
	struct verdict hit = verdict_good();

	return bmcheck_run(s, notes, &kind, buf_view(&s->tx.sender), &hit);
}

static const enum ctl controls[] = { CTL_GOODMAILFROM, CTL_COUNT };

const struct check check_goodmailfrom = {
	.name = "goodmailfrom",
	.stage = STAGE_MAIL,
	.report = STAGE_MAIL,
	.controls = controls,
	.run = run,
};
