/*
 * control/datechecks: addresses that carry the day they were made on, as
 * prefix + YYYYMMDD, and are good for some days from it, counted in UTC.  The
 * file is read when the first recipient looks like one.
 */
#include "base/clock.h"
#include "base/error.h"
#include "conf/date_rules.h"
#include "mail/address.h"
#include "mail/date.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"

enum { DATE_DIGITS = 8, DAY_SECONDS = 86400 };

static bool
ends_in_a_date(struct strv local)
{
	if (local.len < DATE_DIGITS)
		return false;
	for (size_t i = 1; i <= DATE_DIGITS; i++)
		if (!ascii_is_digit(local.ptr[local.len - i]))
			return false;
	return true;
}

/* The day's number, or QE_SYNTAX if there is no such day. */
static int
day_of(struct strv digits, int64_t *day)
{
	uint64_t number = 0;

	if (strv_to_u64(digits, UINT64_MAX, &number) != 0)
		return QE_SYNTAX;
	return date_to_day((int64_t)(number / 10000),
	    (unsigned)(number / 100 % 100), (unsigned)(number % 100), day);
}

static bool
is_expired(struct strv digits, int64_t days)
{
	int64_t day, today = clock_wall() / DAY_SECONDS;

	return day_of(digits, &day) != 0 || today - day > days;
}

static struct verdict
judge(
    const struct session *s, const struct control_set *rules, struct strv local)
{
	size_t prefix = local.len - DATE_DIGITS;
	int64_t days;

	if (date_rules_find(rules, strv_head(local, prefix), &days) != 0 ||
	    !is_expired(strv_skip(local, prefix), days))
		return verdict_pass();
	if (s->settings.log.datechecks)
		log_envelope(s, "EXPIRED");
	return verdict_refuse(553, "5.1.1", "sorry, this address has expired.");
}

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct strv local = address_local(buf_view(&s->tx.candidate));
	struct control_error err;

	if (!ends_in_a_date(local))
		return verdict_pass();
	if (!notes->has_date_rules) {
		if (date_rules_load(&notes->date_rules, &err) != 0) {
			log_trouble(s, err.text);
			return verdict_reject(
			    451, "4.3.0", "unable to read controls");
		}
		notes->has_date_rules = true;
	}
	return judge(s, &notes->date_rules, local);
}

static const enum ctl controls[] = { CTL_DATECHECKS, CTL_COUNT };

const struct check check_datechecks = {
	.name = "datechecks",
	.stage = STAGE_RCPT,
	.report = STAGE_RCPT,
	.skip = SKIP_TRUSTED | SKIP_POSTMASTER,
	.controls = controls,
	.run = run,
};
