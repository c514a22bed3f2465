/*
 * control/auth/norelay and norelay.cdb: logins that fetch mail and do not
 * send it.  They are told at MAIL, not at AUTH: the password is right.
 */
#include "conf/norelay.h"
#include "base/error.h"
#include "smtpd/auth.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct control_error err;
	int r;

	(void)notes;
	if (!auth_is_done(s))
		return verdict_pass();
	r = norelay_find(auth_user(s), &err);
	if (r == QE_ABSENT)
		return verdict_pass();
	if (r == 0)
		return verdict_reject(
		    550, "5.7.1", "sorry, this login may not send mail");
	log_trouble(s, err.text);
	return verdict_reject(451, "4.3.0", "unable to read controls");
}

static const enum ctl controls[] = { CTL_AUTH_NORELAY, CTL_AUTH_NORELAY_CDB,
	CTL_DEFAULTHOST, CTL_COUNT };

const struct check check_norelay = {
	.name = "norelay",
	.stage = STAGE_MAIL,
	.report = STAGE_MAIL,
	.is_of_login = true,
	.controls = controls,
	.run = run,
};
