/*
 * control/datechecks: addresses that carry the day they were made on, as
 * prefix + YYYYMMDD, and are good for some days from it, counted in UTC.  The
 * file is read when the first recipient looks like one.
 */
#include "base/clock.h"
#include "base/error.h"
#include "conf/control_file.h"
#include "mail/address.h"
#include "mail/date.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"

enum { DATE_DIGITS = 8, DAY_SECONDS = 86400, DAYS_MAX = 36525 };

static struct verdict
unreadable(const struct session *s, const struct control_error *err)
{
	log_trouble(s, err->text);
	return verdict_reject(451, "4.3.0", "unable to read controls");
}

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

/* Every line: a wrong one is found before the day it is needed. */
static int
check_rules(const struct control_set *rules, struct control_error *err)
{
	uint64_t days;

	for (size_t i = 0; i < rules->count; i++) {
		struct strv value = strv_trim_blanks(rules->entries[i].value);

		if (strv_to_u64(value, DAYS_MAX, &days) == 0)
			continue;
		control_error_set(err, "control/datechecks",
		    rules->entries[i].line, "not a number of days");
		return QE_SYNTAX;
	}
	return 0;
}

static bool
is_expired(const struct control_entry *rule, struct strv digits)
{
	int64_t day, today = clock_wall() / DAY_SECONDS;
	uint64_t days = 0;

	(void)strv_to_u64(strv_trim_blanks(rule->value), DAYS_MAX, &days);
	if (day_of(digits, &day) != 0)
		return true;
	return today - day > (int64_t)days;
}

static struct verdict
judge(
    const struct session *s, const struct control_set *rules, struct strv local)
{
	size_t prefix = local.len - DATE_DIGITS;
	const struct control_entry *rule =
	    control_set_find(rules, strv_head(local, prefix));

	if (rule == NULL || !is_expired(rule, strv_skip(local, prefix)))
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
		struct control_set rules;

		if (control_set_load(CTL_DATECHECKS, &rules, &err) != 0)
			return unreadable(s, &err);
		notes->date_rules = rules;
		notes->has_date_rules = true;
	}
	if (check_rules(&notes->date_rules, &err) != 0)
		return unreadable(s, &err);
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
