/*
 * Which exchanger gets the message, and what is reported when none takes it.
 *
 * A temporary failure at one exchanger, at any stage, moves on to the next as
 * long as it is certain that the message was not accepted.  The report is
 * then that of the last one that said something.
 */
#include "remote/dispatch.h"

#include "base/clock.h"
#include "base/error.h"
#include "mail/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_SHOWN_MAX = 256 }; /* bytes of a host name in a report */

/* The name as a report shows it. */
static void
add_printable(struct buf *out, struct strv name)
{
	for (size_t i = 0; i < name.len && i < NAME_SHOWN_MAX; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		buf_add_char(out, c < 33 || c > 126 ? '?' : name.ptr[i]);
	}
}

static void
report_name(struct report *report, const char *before, struct strv name,
    const char *after)
{
	struct buf shown = BUF_INIT;
	const char *text;

	add_printable(&shown, name);
	text = buf_cstr(&shown);
	report_set(
	    report, 'D', "%s%s%s", before, text == NULL ? "?" : text, after);
	buf_free(&shown);
}

static void
report_no_target(struct report *report, const struct route *route)
{
	switch (route_why(route)) {
	case ROUTE_TEMPORARY:
		report_set(report, 'Z',
		    "Sorry, I couldn't find any host by that name. (#4.1.2)");
		return;
	case ROUTE_NO_HOST:
		report_name(report, "Sorry, I couldn't find any host named ",
		    route_name(route), ". (#5.1.2)");
		return;
	case ROUTE_NO_ADDRESS:
		report_set(report, 'D',
		    "Sorry, I couldn't find a mail exchanger or IP address. "
		    "(#5.4.4)");
		return;
	case ROUTE_SELF:
		report_set(report, 'D',
		    "Sorry. Although I'm listed as a best-preference MX or A "
		    "for that host,\nit isn't in my control/locals file, so I "
		    "don't treat it as local. (#5.4.6)");
		return;
	case ROUTE_NULL_MX:
		report_name(report, "Sorry, ", route_name(route),
		    " says that it accepts no mail. (#5.1.10)");
		return;
	case ROUTE_LOCAL:
		report_set(report, 'Z',
		    "System resources temporarily unavailable. (#4.3.0)");
		return;
	}
}

/* Trouble of this host that the next address would not escape either. */
static bool
is_local_trouble(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS ||
	       errnum == ENOMEM;
}

/* All that is settled before the first address is looked up. */
struct course {
	struct plan plan;
	struct security security;
	struct buf key; /* of the session */
};

/* What one address comes to.  The session stays open where it can. */
static enum verdict
try_target(struct dispatch *d, const struct course *course,
    const struct target *target, const struct security_want *want)
{
	struct session_wish wish = { .settings = d->settings,
		.plan = &course->plan,
		.target = target,
		.want = want,
		.key = buf_view(&course->key) };
	int r;

	session_close(d->session);
	r = session_open(d->session, &wish, d->report);
	if (r == 0)
		return session_send(
		    d->session, d->message, d->sender, d->report);
	if (r != QE_SYS || !is_local_trouble(errno))
		return VERDICT_NEXT;
	report_set(d->report, 'Z',
	    "System resources temporarily unavailable. (#4.3.0)");
	return VERDICT_FINAL;
}

static void
report_insecure(struct dispatch *d, const struct target *target, int r)
{
	struct buf shown = BUF_INIT;
	const char *name;

	add_printable(&shown, target->name);
	name = buf_cstr(&shown);
	if (name == NULL || r == QE_NOMEM)
		report_set(d->report, 'Z', "Out of memory. (#4.3.0)");
	else if (r == QE_ABSENT)
		report_set(d->report, 'Z',
		    "%s has no TLSA record that DNSSEC vouches for, and "
		    "control/tlsremote asks for one. (#4.7.5)",
		    name);
	else if (r == QE_DENIED)
		report_set(d->report, 'Z',
		    "%s is not among the exchangers of the MTA-STS policy. "
		    "(#4.7.5)",
		    name);
	else
		report_set(d->report, 'Z',
		    "Sorry, I couldn't find out about TLSA records of %s. "
		    "(#4.4.3)",
		    name);
	buf_free(&shown);
}

/* The same, after what TLS must give there is known. */
static enum verdict
secure_and_try(struct dispatch *d, const struct course *course,
    const struct target *target)
{
	struct security_want want;
	enum verdict verdict = VERDICT_NEXT;
	int r = security_find(&course->security, target, &want);

	if (r == 0)
		verdict = try_target(d, course, target, &want);
	else
		report_insecure(d, target, r);
	security_want_free(&want);
	return verdict;
}

static void
try_targets(
    struct dispatch *d, struct route *route, const struct course *course)
{
	int64_t end_ms = clock_deadline(DISPATCH_SECONDS_MAX);
	struct target target;
	int tried = 0;

	while (tried < DISPATCH_TARGETS_MAX && clock_mono_ms() < end_ms &&
	       route_next(route, &target) == 0) {
		tried++;
		if (secure_and_try(d, course, &target) == VERDICT_FINAL)
			return;
	}
	if (d->report->letter != 0)
		return;
	if (tried == 0)
		report_no_target(d->report, route);
	else
		report_set(d->report, 'Z',
		    "Sorry, I wasn't able to establish an SMTP connection. "
		    "(#4.4.1)");
}

/*
 * A CR or LF in an address would be a command of its own, and "> X" at its
 * end a parameter.  This is the last door before the wire.  True if somebody
 * is left to be asked for.
 */
static bool
refuse_breakers(struct dispatch *d)
{
	size_t left = 0;

	for (size_t i = 0; i < d->report->count; i++) {
		struct recipient *r = &d->report->recipients[i];

		if (address_breaks_path(r->address))
			report_set_recipient(r, RECIPIENT_REJECTED,
			    "Sorry, this address does not fit into SMTP. "
			    "(#5.1.3)");
		else
			left++;
	}
	if (address_breaks_path(d->sender))
		report_set(d->report, 'D',
		    "Sorry, the sender's address does not fit into SMTP. "
		    "(#5.1.7)");
	else if (left == 0)
		report_set(d->report, 'D', "Giving up.");
	return d->report->letter == 0;
}

/* True if the session that is open already has decided. */
static bool
try_open_session(struct dispatch *d, struct strv key)
{
	if (!session_fits(d->session, key))
		return false;
	if (session_send(d->session, d->message, d->sender, d->report) ==
	    VERDICT_FINAL)
		return true;
	/* It may only have grown old; a fresh one tells. */
	d->report->letter = 0;
	return false;
}

static void
report_control(struct report *report, const struct control_error *err)
{
	report_set(report, 'Z', "Unable to read control files. (#4.3.0)\n%s",
	    err->text);
}

/* Control files only: no name is looked up.  False: the report tells. */
static bool
set_course(struct dispatch *d, struct strv recipient, struct course *course)
{
	struct control_error err = { .text = "" };
	struct plan *plan = &course->plan;
	int r;

	course->key = (struct buf)BUF_LIMIT(SESSION_KEY_MAX);
	course->security.sts_bytes = (struct buf)BUF_INIT;
	r = plan_make(d->config, d->host, d->sender, recipient, plan, &err);
	if (r == 0)
		r = security_init(
		    &course->security, d->config, d->names, plan, &err);
	if (r == 0 && plan->protocol == PLAN_QMTP &&
	    course->security.level > TLS_LEVEL_MAY) {
		snprintf(err.text, sizeof(err.text),
		    "control/tlsremote asks for TLS where control/qmtproutes "
		    "leads to, and QMTP has none");
		r = QE_SYNTAX;
	}
	if (r == QE_NOMEM)
		report_set(d->report, 'Z', "Out of memory. (#4.3.0)");
	else if (r < 0)
		report_control(d->report, &err);
	else
		plan_add_key(plan, &course->key);
	return r == 0;
}

/* One way for all recipients of the report. */
static void
run_course(struct dispatch *d, struct strv recipient)
{
	struct course course;
	struct route *route;

	if (set_course(d, recipient, &course) &&
	    !try_open_session(d, buf_view(&course.key))) {
		security_find_policy(&course.security, &course.plan);
		if (route_open(&course.plan, d->names, &route) < 0) {
			report_set(d->report, 'Z', "Out of memory. (#4.3.0)");
		} else {
			try_targets(d, route, &course);
			route_free(&route);
		}
	}
	security_free(&course.security);
	buf_free(&course.key);
}

/*
 * Some of the recipients, with a report of their own: they go their own way,
 * and what is then said of the message holds for them alone.
 */
static void
run_part(struct dispatch *d, struct recipient *const *part, size_t count)
{
	struct report *whole = d->report;
	struct report alone = { .count = count,
		.text = BUF_LIMIT(REPORT_TEXT_MAX) };

	alone.recipients = calloc(count, sizeof(*alone.recipients));
	if (alone.recipients == NULL) {
		report_set(whole, 'Z', "Out of memory. (#4.3.0)");
		return;
	}
	for (size_t i = 0; i < count; i++)
		alone.recipients[i] = *part[i];
	d->report = &alone;
	run_course(d, count == 1 ? part[0]->address : STRV_EMPTY);
	d->report = whole;
	for (size_t i = 0; i < count; i++) {
		*part[i] = alone.recipients[i];
		report_merge(whole, part[i], &alone);
	}
	free(alone.recipients);
	buf_free(&alone.text);
}

/* Those that a routing file names go alone, all others together. */
static void
run_parts(struct dispatch *d, struct recipient **common)
{
	size_t count = 0;

	for (size_t i = 0; i < d->report->count; i++) {
		struct recipient *r = &d->report->recipients[i];

		if (r->state == RECIPIENT_REJECTED)
			continue;
		if (plan_is_for_recipient(d->config, r->address))
			run_part(d, &r, 1);
		else
			common[count++] = r;
	}
	if (count > 0)
		run_part(d, common, count);
}

static bool
has_part(const struct dispatch *d)
{
	for (size_t i = 0; i < d->report->count; i++)
		if (plan_is_for_recipient(
			d->config, d->report->recipients[i].address))
			return true;
	return false;
}

void
dispatch_run(struct dispatch *d)
{
	struct recipient **common;

	if (!refuse_breakers(d))
		return;
	if (d->report->count == 1 || !has_part(d)) {
		run_course(d, d->report->recipients[0].address);
		return;
	}
	common = calloc(d->report->count, sizeof(*common));
	if (common == NULL) {
		report_set(d->report, 'Z', "Out of memory. (#4.3.0)");
		return;
	}
	run_parts(d, common);
	free(common);
}
