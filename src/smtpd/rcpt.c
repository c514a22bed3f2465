/*
 * RCPT (RFC 5321 section 4.1.1.3): first all questions, then the recipient is
 * kept.  Nothing that was refused is ever stored.
 */
#include "base/error.h"
#include "smtpd/commands.h"
#include "smtpd/log.h"
#include "smtpd/path.h"
#include "smtpd/pipeline.h"
#include "smtpd/plugins.h"
#include "smtpd/tarpit.h"
#include "smtpd/trust.h"

/* Reads the argument into tx.candidate; a code of 0 if all is well. */
static struct reply
take_candidate(struct session *s, struct strv argument)
{
	const struct path_rules rules = { STRV("TO"),
		s->settings.needs_brackets, "5.1.3" };
	struct buf *candidate = &s->tx.candidate;
	struct strv rest = STRV_EMPTY;
	struct reply refusal;
	int r;

	buf_reset(candidate);
	candidate->max = (size_t)s->settings.address_max;
	r = path_parse(&rules, argument, candidate, &rest);
	if (r == QE_LIMIT)
		tarpit_delay(s, TARPIT_LIMIT);
	if (r != 0)
		return path_refusal(&rules, r);
	if (strv_trim_blanks(rest).len > 0)
		return reply_make(555, "5.5.4", "unsupported parameter");
	refusal = path_localize(s, candidate);
	if (refusal.code != 0)
		return refusal;
	candidate->max = ADDRESS_BYTES_MAX;
	if (s->relay)
		buf_add_view(candidate, s->relay_suffix);
	if (candidate->err != 0)
		return path_refusal(&rules, candidate->err);
	return (struct reply){ .code = 0 };
}

/* Both stages of a recipient: may it be relayed, and is it wanted? */
static struct verdict
judge(struct session *s)
{
	struct verdict relay = pipeline_run(s, STAGE_RELAY);
	struct verdict v;

	if (relay.kind == VERDICT_REJECT) {
		if (relay.reply.code == 553 && s->settings.log.orchecks)
			log_envelope(s, "OPENRELAY");
		return relay;
	}
	v = pipeline_run(s, STAGE_RCPT);
	if (v.tarpit == TARPIT_NONE)
		v.tarpit = relay.tarpit;
	return v;
}

static struct reply
full(int result)
{
	if (result == QE_LIMIT)
		return reply_make(452, "4.5.3", "too many recipients");
	return reply_make(451, "4.3.0", "out of memory");
}

static struct reply
keep(struct session *s)
{
	int r = transaction_add(&s->tx, buf_view(&s->tx.candidate));

	if (r != 0)
		return full(r);
	return reply_make(250, "2.1.5", "ok");
}

/* After so many recipients every answer is late, a refusal as well. */
static void
delay(struct session *s, enum tarpit_cause cause)
{
	if (tarpit_counts(&s->settings.tarpit, s->tx.recipient_count + 1))
		cause = TARPIT_LIMIT;
	tarpit_delay(s, cause);
}

/* Whomever a spammer names, its message goes to one address, once. */
static struct reply
feed(struct session *s)
{
	if (!s->tx.is_spam) {
		int r = transaction_add(&s->tx, s->spam_to);

		if (r != 0)
			return full(r);
		s->tx.is_spam = true;
	}
	return reply_make(250, "2.1.5", "I feed spamassassin now!");
}

/* Somebody listed by mistake has to be able to say so. */
static bool
is_own_postmaster(struct session *s)
{
	return recipient_is_postmaster(buf_view(&s->tx.candidate)) &&
	       pipeline_run(s, STAGE_RELAY).kind == VERDICT_ACCEPT;
}

struct reply
command_rcpt(struct session *s, struct strv argument)
{
	struct reply refusal = take_candidate(s, argument);
	struct plugins_verdict plugins;
	struct verdict v;

	if (refusal.code != 0)
		return refusal;
	if (trust_is_spammer(s) && !is_own_postmaster(s))
		return feed(s);
	plugins = plugins_run(s, PLUGIN_RCPT);
	if (plugins.kind == PLUGINS_ANSWER) {
		delay(s, TARPIT_NONE);
		return plugins.reply;
	}
	v = plugins.kind == PLUGINS_TRUST ? pipeline_run_login(s, STAGE_RCPT)
					  : judge(s);
	delay(s, v.tarpit);
	if (v.kind == VERDICT_REJECT)
		return v.reply;
	return keep(s);
}
