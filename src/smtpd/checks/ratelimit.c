/*
 * control/auth/ratelimit: a login that suddenly sends much has lost its
 * password.  It is stopped here, and fetches its mail as before.  What cannot
 * be counted is not sent.
 */
#include "base/clock.h"
#include "base/error.h"
#include "conf/login_name.h"
#include "smtpd/auth.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"
#include "smtpd/rate_record.h"

static struct verdict
judge(const struct session *s, int result)
{
	if (result == 0)
		return verdict_pass();
	if (result == QE_LIMIT) {
		log_event(s, "RATELIMIT: " STRV_FMT " from " STRV_FMT,
		    STRV_ARG(auth_user(s)), STRV_ARG(s->peer.remote_ip));
		return verdict_reject(451, "4.7.1",
		    "sorry, too many recipients in too short a time");
	}
	log_event(s, "ratelimit: record of " STRV_FMT " in " RATE_DIR ": %s",
	    STRV_ARG(auth_user(s)), error_result_text(result));
	return verdict_reject(451, "4.3.0", "unable to count recipients");
}

/* All spellings of a login have one record. */
static struct verdict
count(const struct session *s, const struct rate_limit *limit)
{
	struct control_error err;
	struct buf login = BUF_INIT;
	struct verdict v;

	if (login_name_full(auth_user(s), &login, &err) == 0) {
		v = judge(s, rate_take(buf_view(&login), limit, clock_wall()));
	} else {
		log_trouble(s, err.text);
		v = verdict_reject(451, "4.3.0", "unable to read controls");
	}
	buf_free(&login);
	return v;
}

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct control_error err = { .text = "ratelimit: out of memory" };
	struct rate_limit limit;

	(void)notes;
	if (!auth_is_done(s))
		return verdict_pass();
	if (rate_limit_load(&limit, &err) != 0) {
		log_trouble(s, err.text);
		return verdict_reject(451, "4.3.0", "unable to read controls");
	}
	return limit.recipients == 0 ? verdict_pass() : count(s, &limit);
}

static const enum ctl controls[] = { CTL_AUTH_RATELIMIT, CTL_DEFAULTHOST,
	CTL_COUNT };

const struct check check_ratelimit = {
	.name = "ratelimit",
	.stage = STAGE_RCPT,
	.report = STAGE_RCPT,
	.is_of_login = true,
	.controls = controls,
	.run = run,
};
