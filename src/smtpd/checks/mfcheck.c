/*
 * control/mfcheck: can a bounce reach the sender?  1 asks the DNS for his
 * domain, 2 also asks his exchangers whether they would take it.
 *
 * It runs at RCPT, not at MAIL: mail to postmaster passes, and only a client
 * with a recipient that we would take can make us call somebody.
 */
#include "base/clock.h"
#include "base/error.h"
#include "conf/control_file.h"
#include "smtpd/callback_cache.h"
#include "smtpd/callback_limits.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/origin.h"
#include "smtpd/pipeline.h"

enum {
	CALLBACK_HOSTS_MAX = 3, /* that are called for one sender */
	SENDER_SHOWN_MAX = 400  /* bytes of it in the reply */
};

static void
log_said(const struct session *s, struct strv said)
{
	while (said.len > 0) {
		struct strv line = strv_cut(&said, '\n', NULL);

		log_event(s, "BounceTest: " STRV_FMT, STRV_ARG(line));
	}
}

static struct verdict
judge_outcome(const struct session *s, const struct callback_outcome *outcome)
{
	struct strv sender =
	    strv_head(buf_view(&s->tx.sender), SENDER_SHOWN_MAX);
	struct verdict v = { .kind = VERDICT_REJECT, .tarpit = TARPIT_LIMIT };

	if (outcome->result != CALLBACK_REFUSED)
		return verdict_pass();
	log_said(s, buf_view(&outcome->said));
	v.reply = reply_makef(550, "5.1.8",
	    "bad sender's mailbox address, RCPT TO:<" STRV_FMT "> failed",
	    STRV_ARG(sender));
	return v;
}

/* An exchanger that hangs must leave time for the next one. */
static int64_t
share_of_time(const struct origin *o, int called)
{
	int64_t now = clock_mono_ms();
	int64_t left = o->deadline_ms - now;

	return called + 1 < CALLBACK_HOSTS_MAX ? now + left / 2
					       : o->deadline_ms;
}

/*
 * Calls exchangers until one has answered.  False if a limit forbade it, so
 * that nothing was learnt that is worth keeping.
 */
static bool
call(
    const struct session *s, struct origin *o, struct callback_outcome *outcome)
{
	struct ipaddr ip;
	int called = 0;

	for (size_t i = 0; called < CALLBACK_HOSTS_MAX &&
			   exchangers_address(&o->exchangers, i, &ip) == 0;
	     i++) {
		if (clock_mono_ms() >= o->deadline_ms)
			break;
		if (!ipaddr_is_public(&ip) || nets_have(&o->blacklist, &ip))
			continue;
		if (!callback_address_count(&ip))
			return false;
		callback_ask(&ip, buf_view(&o->helo), buf_view(&s->tx.sender),
		    share_of_time(o, called), outcome);
		called++;
		if (outcome->result != CALLBACK_DEAD)
			break;
	}
	return true;
}

/* The same with a place among those that may call now. */
static bool
call_in_place(
    const struct session *s, struct origin *o, struct callback_outcome *outcome)
{
	int place;
	bool learnt;

	if (o->callbacks >= CALLBACKS_SESSION_MAX ||
	    !callback_place_take(&place))
		return false;
	o->callbacks++;
	learnt = call(s, o, outcome);
	io_close(&place);
	return learnt;
}

static struct verdict
ask_sender(const struct session *s, struct origin *o)
{
	struct strv sender = buf_view(&s->tx.sender);
	struct callback_outcome outcome = { .result = CALLBACK_DEAD,
		.said = BUF_LIMIT(CALLBACK_SAID_MAX) };
	enum callback_known known = CALLBACK_UNKEPT;
	bool learnt = true;
	struct verdict v;
	int fd = -1;

	known = callback_cache_get(
	    sender, &o->times, o->deadline_ms, &outcome, &fd);
	if (known == CALLBACK_OURS || known == CALLBACK_UNKEPT)
		learnt = call_in_place(s, o, &outcome);
	if (known == CALLBACK_OURS)
		callback_cache_put(&fd, sender, learnt ? &outcome : NULL);
	if (!learnt)
		log_event(s, "BounceTest: not made, too many of them");
	v = judge_outcome(s, &outcome);
	buf_free(&outcome.said);
	return v;
}

/* What the callback alone needs. */
static int
load_more(struct origin *o, struct control_error *err)
{
	int r = o->helo.len > 0 ? 0 : control_line(CTL_HELOHOST, &o->helo, err);

	if (r == 0 && o->helo.len == 0) {
		control_error_set(err, "control/helohost", 1, "no name");
		return QE_SYNTAX;
	}
	if (r == 0)
		r = mfcheck_times_load(&o->times, err);
	return r;
}

static struct verdict
judge(const struct session *s, struct origin *o)
{
	struct control_error err = { .text = "unable to read controls" };
	struct verdict v;
	int r = origin_find(s, o);

	if (r == QE_ABSENT) {
		v = verdict_reject(550, "5.1.8",
		    "bad sender's system address, no mail exchanger");
		v.tarpit = TARPIT_REJECTION;
		return v;
	}
	if (r != 0)
		return origin_unknown(r);
	if (o->level < MFCHECK_CALLBACK ||
	    !callback_is_askable(buf_view(&s->tx.sender)))
		return verdict_pass();
	if (load_more(o, &err) != 0)
		return origin_misconfigured(s, err.text);
	return ask_sender(s, o);
}

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct verdict refusal;
	struct origin *o;

	if (s->tx.sender.len == 0)
		return verdict_pass();
	o = origin_get(s, notes, &refusal);
	if (o == NULL)
		return refusal;
	if (o->level == MFCHECK_OFF)
		return verdict_pass();
	if (!o->is_judged) {
		o->verdict = judge(s, o);
		o->is_judged = true;
	}
	return o->verdict;
}

static const enum ctl controls[] = { CTL_MFCHECK, CTL_MFCHECKTIME,
	CTL_MFCHECKTIMEOUT, CTL_MXBLACKLIST, CTL_HELOHOST, CTL_DNSSERVERS,
	CTL_COUNT };

const struct check check_mfcheck = {
	.name = "mfcheck",
	.stage = STAGE_RCPT,
	.report = STAGE_RCPT,
	.skip = SKIP_TRUSTED | SKIP_POSTMASTER | SKIP_GOOD_SENDER,
	.controls = controls,
	.run = run,
};
