/*
 * control/clamd: every message goes to a virus scanner while it arrives,
 * whoever sends it: viruses of this host's own users are not spread either.
 *
 * A scanner that gives no answer means "later", or with control/clamdfail 1
 * that the message is taken as it is.
 */
#include "base/clock.h"
#include "base/error.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"
#include "smtpd/scan_stream.h"
#include "smtpd/tap.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECOND_MS = 1000 };

/* Of a session; there is none as long as nobody has asked. */
struct clamd {
	bool wanted; /* control/clamd is there */
	char wrong[sizeof(((struct control_error *)0)->text)]; /* or "" */
	struct endpoint scanner;
	bool fails_open;
	int64_t seconds;
	bool scanning; /* the present message */
	struct scan_stream stream;
};

static int
load(struct clamd *c, struct control_error *err)
{
	struct buf line = BUF_INIT;
	int64_t fails_open = 0;
	int r = control_line(CTL_CLAMD, &line, err);

	c->wanted = r != QE_ABSENT;
	if (r == 0) {
		r = endpoint_parse(buf_view(&line), &c->scanner);
		if (r != 0)
			snprintf(err->text, sizeof(err->text),
			    "control/clamd: neither ip:port nor a path");
	}
	buf_free(&line);
	if (r == 0)
		r = control_int(CTL_CLAMDFAIL, &fails_open, err);
	if (r == 0)
		r = control_int(CTL_CLAMDTIMEOUT, &c->seconds, err);
	c->fails_open = fails_open != 0;
	return r;
}

/* Reads the controls with the first message of a session. */
static struct clamd *
keep(struct notes *notes)
{
	struct control_error err = { .text = "" };
	struct clamd *c = notes->clamd;

	if (c != NULL)
		return c;
	c = notes->clamd = calloc(1, sizeof(*c));
	if (c != NULL && load(c, &err) != 0 && c->wanted)
		snprintf(c->wrong, sizeof(c->wrong), "%s",
		    err.text[0] == '\0' ? "control/clamd: out of memory"
					: err.text);
	return c;
}

void
clamd_free(struct clamd **kept)
{
	if (*kept != NULL && (*kept)->scanning)
		scan_stream_free(&(*kept)->stream);
	free(*kept);
	*kept = NULL;
}

static bool
begin(struct session *s, struct strv fields)
{
	struct clamd *c = keep(&s->notes);

	(void)fields;
	if (c == NULL || !c->wanted || c->wrong[0] != '\0')
		return false;
	scan_stream_begin(&c->stream, &c->scanner, c->seconds * SECOND_MS);
	c->scanning = true;
	return true;
}

static void
feed(struct session *s, struct strv bytes, int64_t deadline_ms)
{
	scan_stream_feed(&s->notes.clamd->stream, bytes, deadline_ms);
}

static void
close_stream(struct session *s)
{
	scan_stream_free(&s->notes.clamd->stream);
	s->notes.clamd->scanning = false;
}

/* A quarter of the time is left to what comes after us. */
static int64_t
deadline(const struct session *s)
{
	return s->tx.dot_deadline_ms - s->settings.dot_timeout * SECOND_MS / 4;
}

static struct verdict
found(const struct session *s, struct strv name)
{
	struct buf text = BUF_INIT;
	struct verdict v;

	clamd_add_name(&text, name);
	if (buf_cstr(&text) == NULL) {
		buf_free(&text);
		return verdict_refuse(
		    554, "5.7.7", "your email contains the virus \"?\"!");
	}
	log_event(s, "CLAMD: virus \"%s\" was found!", text.data);
	v = verdict_refuse(554, "5.7.7", "");
	v.reply = reply_makef(
	    554, "5.7.7", "your email contains the virus \"%s\"!", text.data);
	buf_free(&text);
	return v;
}

/* No verdict, for a reason that goes to the log. */
static struct verdict
unscanned(const struct session *s, const struct clamd *c, const char *why,
    struct verdict otherwise)
{
	log_event(s, "CLAMD: %s: %s", why,
	    c->fails_open ? "accepted unscanned" : "refused");
	return c->fails_open ? verdict_pass() : otherwise;
}

static struct verdict
judge(const struct session *s, struct clamd *c)
{
	const struct verdict later = verdict_reject(
	    451, "4.7.0", "virus scanner not available, try again later");
	const struct verdict never = verdict_reject(552, "5.3.4",
	    "sorry, that message is too large to be scanned for viruses");
	enum clamd_verdict verdict = CLAMD_NONSENSE;
	struct strv about = STRV_EMPTY;
	char why[CLAMD_REPLY_MAX];
	int r = scan_stream_end(&c->stream, deadline(s), &verdict, &about);

	if (r != 0) {
		snprintf(why, sizeof(why), "no answer of the scanner: %s",
		    r == QE_TIMEOUT ? "it took too long"
		    : r == QE_EOF   ? "it hung up"
				    : error_result_text(r));
		return unscanned(s, c, why, later);
	}
	switch (verdict) {
	case CLAMD_CLEAN:
		return verdict_pass();
	case CLAMD_FOUND:
		return found(s, about);
	case CLAMD_TOO_LARGE:
		return unscanned(
		    s, c, "larger than what the scanner takes", never);
	case CLAMD_FAILED:
	case CLAMD_NONSENSE:
		break;
	}
	snprintf(why, sizeof(why), "%s \"" STRV_FMT "\"",
	    verdict == CLAMD_FAILED ? "the scanner failed:"
				    : "the scanner answered",
	    STRV_ARG(about));
	return unscanned(s, c, why, later);
}

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct clamd *c = notes->clamd;

	if (c == NULL)
		return verdict_reject(451, "4.3.0", "out of memory");
	if (!c->wanted)
		return verdict_pass();
	if (!c->scanning && c->wrong[0] == '\0')
		return verdict_reject(451, "4.7.0", "message was not scanned");
	if (c->wrong[0] != '\0') {
		log_trouble(s, c->wrong);
		return verdict_reject(451, "4.3.0", "unable to read controls");
	}
	return judge(s, c);
}

static const enum ctl controls[] = { CTL_CLAMD, CTL_CLAMDFAIL, CTL_CLAMDTIMEOUT,
	CTL_DOTTIMEOUT, CTL_COUNT };

const struct check check_clamd = {
	.name = "clamd",
	.stage = STAGE_CONTENT,
	.report = STAGE_CONTENT,
	.controls = controls,
	.run = run,
};

const struct tap tap_clamd = {
	.check = &check_clamd,
	.begin = begin,
	.feed = feed,
	.close = close_stream,
};
