/*
 * Relay permission for recipients without a domain: they are this host's own
 * (envnoathost is added later), bare "postmaster" first of all (RFC 5321
 * section 4.5.1).
 */
#include "smtpd/checks/list.h"
#include "smtpd/pipeline.h"

static struct verdict
run(const struct session *s, struct notes *notes)
{
	(void)notes;
	if (strv_find(buf_view(&s->tx.candidate), '@') == STRV_NPOS)
		return verdict_accept();
	return verdict_pass();
}

static const enum ctl controls[] = { CTL_COUNT };

const struct check check_bare_recipient = {
	.name = "bare_recipient",
	.stage = STAGE_RELAY,
	.report = STAGE_RELAY,
	.controls = controls,
	.run = run,
};
