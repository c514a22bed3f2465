/*
 * RCPT (RFC 5321 section 4.1.1.3): first all questions, then the recipient is
 * kept.  Nothing that was refused is ever stored.
 */
#include "base/error.h"
#include "smtpd/commands.h"
#include "smtpd/log.h"
#include "smtpd/path.h"
#include "smtpd/pipeline.h"
#include "smtpd/tarpit.h"

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
keep(struct session *s)
{
	int r = transaction_add_candidate(&s->tx);

	if (r == QE_LIMIT)
		return reply_make(452, "4.5.3", "too many recipients");
	if (r != 0)
		return reply_make(451, "4.3.0", "out of memory");
	if (tarpit_counts(&s->settings.tarpit, s->tx.recipient_count))
		tarpit_delay(s, TARPIT_LIMIT);
	return reply_make(250, "2.1.5", "ok");
}

struct reply
command_rcpt(struct session *s, struct strv argument)
{
	struct reply refusal = take_candidate(s, argument);
	struct verdict v;

	if (refusal.code != 0)
		return refusal;
	v = judge(s);
	if (v.tarpit != TARPIT_NONE)
		tarpit_delay(s, v.tarpit);
	if (v.kind == VERDICT_REJECT)
		return v.reply;
	return keep(s);
}
