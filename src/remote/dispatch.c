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

/* Trouble of this host that the next address would not escape either. */
static bool
is_local_trouble(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS ||
	       errnum == ENOMEM;
}

/* What one address comes to.  The session stays open where it can. */
static enum verdict
try_target(struct dispatch *d, const struct target *target, struct strv key)
{
	int r;

	session_close(d->session);
	r = session_open(d->session, d->settings, target, key, d->report);
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
try_targets(struct dispatch *d, struct route *route, struct strv key)
{
	int64_t end_ms = clock_deadline(DISPATCH_SECONDS_MAX);
	struct target target;
	int tried = 0;

	while (tried < DISPATCH_TARGETS_MAX && clock_mono_ms() < end_ms &&
	       route_next(route, &target) == 0) {
		tried++;
		if (!tcpto_should_skip(&target.ip, clock_wall(), getpid()) &&
		    try_target(d, &target, key) == VERDICT_FINAL)
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

void
dispatch_run(struct dispatch *d)
{
	struct route *route;
	struct strv key = d->host;

	if (!refuse_breakers(d) || try_open_session(d, key))
		return;
	if (route_open(&d->config->smtproutes, d->names, d->host, &route) < 0) {
		report_set(d->report, 'Z', "Out of memory. (#4.3.0)");
		return;
	}
	try_targets(d, route, key);
	route_free(&route);
}
