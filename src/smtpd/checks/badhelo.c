/*
 * control/badhelo: names that no client may give itself.  A session that is
 * refused here hears the same at MAIL, unless it finds a better name or gains
 * trust meanwhile.
 */
#include "smtpd/bmcheck.h"
#include "smtpd/checks/list.h"
#include "smtpd/pipeline.h"

static struct verdict
run(const struct session *s, struct notes *notes)
{
	static const struct bmcheck_kind kind = { BMCHECK_HELO,
		"control/badhelo", "BADHELO", "NO_BADHELO", "BADHELO" };
	struct verdict hit = verdict_refuse(
	    553, "5.7.1", "sorry, your helo or ehlo is incorrect");

	return bmcheck_run(s, notes, &kind, buf_view(&s->helo), &hit);
}

static const enum ctl controls[] = { CTL_BADHELO, CTL_COUNT };

const struct check check_badhelo = {
	.name = "badhelo",
	.stage = STAGE_HELO,
	.report = STAGE_HELO,
	.skip = SKIP_TRUSTED,
	.controls = controls,
	.run = run,
};
