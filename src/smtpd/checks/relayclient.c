/* Relay permission by trust: $RELAYCLIENT is set, or the client logged in. */
#include "smtpd/checks/list.h"
#include "smtpd/pipeline.h"

static struct verdict
run(const struct session *s, struct notes *notes)
{
	(void)notes;
	return s->relay ? verdict_accept() : verdict_pass();
}

static const enum ctl controls[] = { CTL_COUNT };

const struct check check_relayclient = {
	.name = "relayclient",
	.stage = STAGE_RELAY,
	.report = STAGE_RELAY,
	.controls = controls,
	.run = run,
};
