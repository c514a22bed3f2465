/*
 * STARTTLS as a client: asks for it, lets qmail-tls do the handshake, and
 * decides what follows from its failure.
 */
#include "remote/starttls.h"

#include "base/clock.h"
#include "base/error.h"
#include "spool/notls.h"

#include <fcntl.h>
#include <unistd.h>

/*
 * Descriptor 2 is the report, and what qmail-tls may say there would end up
 * in it.
 */
static void
hide_report(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	dup2(fd, STDERR_FILENO);
	close(fd);
}

/*
 * Without a verdict about the certificate "may" takes any; the others need
 * what they ask for.
 */
static int
handshake(struct peer *s, const struct security_want *want)
{
	struct tls_client_request request = { .level = want->level,
		.names = &want->name,
		.name_count = want->name.len > 0 ? 1 : 0,
		.ca_file = want->ca_file,
		.tlsa = want->tlsa,
		.tlsa_count = want->tlsa_count,
		.deadline_ms = clock_mono_ms() + s->settings->remote_ms,
		.place = s->settings->tls_place };
	struct buf line = BUF_INIT;
	int r;

	hide_report();
	r = peer_start_tls(s, &request);
	if (r == 0)
		buf_addf(&line, "%s %s, certificate %s", s->tls.facts.protocol,
		    s->tls.facts.cipher,
		    s->tls.verified ? "verified" : "not verified");
	else
		buf_addf(&line, "failed: %s", s->tls.facts.error);
	peer_log(s, "TLS: ", buf_view(&line));
	buf_free(&line);
	return r;
}

static int
fail(struct peer *s, struct report *report, const char *why, const char *code)
{
	report_set(
	    report, 'Z', "Connected to %s but TLS %s. (#%s)", s->ip, why, code);
	return QE_EOF;
}

static int
fail_handshake(struct peer *s, struct report *report)
{
	report_set(report, 'Z', "Connected to %s but TLS failed: %s. (#4.7.5)",
	    s->ip, s->tls.facts.error);
	return QE_EOF;
}

/* After STARTTLS everything begins anew. */
static int
greet_again(struct peer *s, struct report *report)
{
	enum peer_result result = peer_greet_again(s);

	if (result == PEER_READY)
		return 0;
	if (result == PEER_DIED)
		peer_report_death(s, "", report);
	else
		report_set(report, 'Z',
		    "Connected to %s but my name was rejected.", s->ip);
	report_add_said(&report->text, buf_view(&s->said));
	return QE_EOF;
}

/* The server is asked.  0: go ahead; QE_ABSENT: it says no; QE_EOF. */
static int
ask(struct peer *s)
{
	if (peer_ask(s, "STARTTLS") < 0)
		return QE_EOF;
	if (s->code != 220)
		return QE_ABSENT;
	/* What is there already came in clear text, from whomever. */
	if (source_peek(&s->in).len > 0) {
		s->broken = true;
		return QE_EOF;
	}
	return 0;
}

static int
may_run(struct peer *s, const struct security_want *want, struct report *report)
{
	int64_t now = clock_wall();
	int r;

	if ((s->offer.extensions & EHLO_STARTTLS) == 0 ||
	    notls_has(&s->target.ip, now))
		return 0;
	r = ask(s);
	if (r == QE_ABSENT)
		return 0;
	if (r == 0)
		r = handshake(s, want);
	if (r == 0)
		return greet_again(s, report);
	/* This host's own trouble says nothing about the server. */
	if (r != QE_ABSENT && r != QE_SYS && r != QE_NOMEM && r != QE_CORRUPT)
		notls_note(&s->target.ip, now);
	s->broken = true;
	return QE_TEMP;
}

static int
must_run(
    struct peer *s, const struct security_want *want, struct report *report)
{
	int r;

	if ((s->offer.extensions & EHLO_STARTTLS) == 0)
		return fail(s, report, "is not offered there", "4.7.4");
	r = ask(s);
	if (r < 0) {
		if (s->endless)
			peer_report_death(s, "", report);
		else
			(void)fail(s, report, "was refused", "4.7.4");
		report_add_said(&report->text, buf_view(&s->said));
		return QE_EOF;
	}
	r = handshake(s, want);
	return r == 0 ? greet_again(s, report) : fail_handshake(s, report);
}

int
starttls_run(
    struct peer *s, const struct security_want *want, struct report *report)
{
	switch (want->level) {
	case TLS_LEVEL_NONE:
		return 0;
	case TLS_LEVEL_MAY:
		return may_run(s, want, report);
	case TLS_LEVEL_ENCRYPT:
	case TLS_LEVEL_VERIFY:
	case TLS_LEVEL_DANE:
		break;
	}
	return must_run(s, want, report);
}

int
starttls_at_once(
    struct peer *s, const struct security_want *want, struct report *report)
{
	struct security_want least = *want;

	if (least.level < TLS_LEVEL_ENCRYPT)
		least.level = TLS_LEVEL_ENCRYPT;
	return handshake(s, &least) == 0 ? 0 : fail_handshake(s, report);
}
