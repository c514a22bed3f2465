/* control/maxrcpt: recipients of one message from a client without trust. */
#include "smtpd/checks/list.h"
#include "smtpd/pipeline.h"

static struct verdict
run(const struct session *s, struct notes *notes)
{
	int64_t max = s->settings.recipients_max;
	struct verdict v;

	(void)notes;
	if (max == 0 || s->tx.recipient_count < (size_t)max)
		return verdict_pass();
	v = verdict_reject(452, "4.5.3", "too many recipients");
	v.tarpit = TARPIT_LIMIT;
	return v;
}

static const enum ctl controls[] = { CTL_MAXRCPT, CTL_COUNT };

const struct check check_maxrcpt = {
	.name = "maxrcpt",
	.stage = STAGE_RCPT,
	.report = STAGE_RCPT,
	.skip = SKIP_TRUSTED,
	.controls = controls,
	.run = run,
};
