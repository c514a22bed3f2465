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
#include "remote/transfer.h"
#include "spool/tcpto.h"

#include <errno.h>
#include <unistd.h>

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
	case ROUTE_BAD_ENTRY:
		report_set(
		    report, 'Z', "Unable to read control files. (#4.3.0)");
		return;
	case ROUTE_LOCAL:
		report_set(report, 'Z',
		    "System resources temporarily unavailable. (#4.3.0)");
		return;
	}
}

static enum verdict
report_session(
    struct dispatch *d, const struct peer *s, enum peer_result result)
{
	struct report *report = d->report;

	switch (result) {
	case PEER_READY:
		break;
	case PEER_DIED:
	case PEER_DIED_AT_EHLO:
		report_set(report, 'Z',
		    "Connected to %s but connection died. (#4.4.2)", s->ip);
		break;
	case PEER_NO_GREETING:
		report_set(
		    report, 'Z', "Connected to %s but greeting failed.", s->ip);
		break;
	case PEER_NAME_REJECTED:
		report_set(report, 'Z',
		    "Connected to %s but my name was rejected.", s->ip);
		break;
	}
	report_add_said(&report->text, buf_view(&s->said));
	return VERDICT_NEXT;
}

/* Trouble of this host that the next address would not escape either. */
static bool
is_local_trouble(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS ||
	       errnum == ENOMEM;
}

static enum verdict
connect_failed(struct dispatch *d, const struct target *target, int r)
{
	if (r == QE_TIMEOUT)
		tcpto_note_timeout(&target->ip, clock_wall());
	if (r != QE_SYS || !is_local_trouble(errno))
		return VERDICT_NEXT;
	report_set(d->report, 'Z',
	    "System resources temporarily unavailable. (#4.3.0)");
	return VERDICT_FINAL;
}

/* One session; *result tells how its greeting went. */
static enum verdict
try_session(struct dispatch *d, const struct target *target, bool only_helo,
    enum peer_result *result)
{
	struct peer s;
	struct transfer t = { .peer = &s,
		.message = d->message,
		.report = d->report,
		.sender = d->sender };
	enum verdict verdict;
	int r = peer_connect(&s, d->settings, target);

	*result = PEER_READY;
	if (r < 0)
		return connect_failed(d, target, r);
	tcpto_note_success(&target->ip);
	*result = peer_greet(&s, only_helo);
	verdict = *result == PEER_READY ? transfer_run(&t)
					: report_session(d, &s, *result);
	peer_close(&s);
	return verdict;
}

static enum verdict
try_target(struct dispatch *d, const struct target *target)
{
	enum peer_result result;
	enum verdict verdict;

	if (tcpto_should_skip(&target->ip, clock_wall(), getpid()))
		return VERDICT_NEXT;
	verdict = try_session(d, target, false, &result);
	/* Very old servers hang up on a command they do not know. */
	if (result == PEER_DIED_AT_EHLO)
		verdict = try_session(d, target, true, &result);
	return verdict;
}

static void
try_targets(struct dispatch *d, struct route *route)
{
	int64_t end_ms = clock_deadline(DISPATCH_SECONDS_MAX);
	struct target target;
	int tried = 0;

	while (tried < DISPATCH_TARGETS_MAX && clock_mono_ms() < end_ms &&
	       route_next(route, &target) == 0) {
		tried++;
		if (try_target(d, &target) == VERDICT_FINAL)
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

void
dispatch_run(struct dispatch *d)
{
	struct route *route;

	if (!refuse_breakers(d))
		return;
	if (route_open(d->smtproutes, d->names, d->host, &route) < 0) {
		report_set(d->report, 'Z', "Out of memory. (#4.3.0)");
		return;
	}
	try_targets(d, route);
	route_free(&route);
}
