/*
 * The checks of a stage, asked in the order of the list.  ACCEPT and REJECT
 * end a stage, TARPIT adds a delay, PASS goes on.  Nobody's silence opens the
 * relay: at STAGE_RELAY a recipient that no check accepts is refused.
 */
#include "smtpd/pipeline.h"
#include "mail/address.h"
#include "smtpd/log.h"

struct verdict
verdict_pass(void)
{
	return (struct verdict){ .kind = VERDICT_PASS };
}

struct verdict
verdict_accept(void)
{
	return (struct verdict){ .kind = VERDICT_ACCEPT };
}

struct verdict
verdict_reject(int code, const char *enhanced, const char *text)
{
	return (struct verdict){
		.kind = VERDICT_REJECT,
		.reply = reply_make(code, enhanced, text),
	};
}

bool
recipient_is_postmaster(struct strv recipient)
{
	return strv_eq_nocase(address_local(recipient), STRV("postmaster"));
}

static bool
is_skipped(const struct check *check, const struct session *s)
{
	if ((check->skip & SKIP_TRUSTED) != 0 && s->relay)
		return true;
	if ((check->skip & SKIP_GOOD_SENDER) != 0 && s->notes.good_sender)
		return true;
	return (check->skip & SKIP_POSTMASTER) != 0 &&
	       recipient_is_postmaster(buf_view(&s->tx.candidate));
}

/* A check that only watches has its rejection logged, and passes. */
static struct verdict
run_one(struct session *s, const struct check *check, enum check_mode mode)
{
	struct verdict v;

	if (mode == CHECK_OFF || is_skipped(check, s))
		return verdict_pass();
	v = check->run(s, &s->notes);
	if (mode != CHECK_WATCH)
		return v;
	if (v.kind == VERDICT_REJECT)
		log_event(s, "WATCH: %s: %d %s %s", check->name, v.reply.code,
		    v.reply.enhanced == NULL ? "" : v.reply.enhanced,
		    v.reply.text);
	return verdict_pass();
}

/* Keeps a rejection until its stage of report has come. */
static void
hold(struct notes *notes, const struct check *check, const struct verdict *v)
{
	if (notes->held)
		return;
	notes->held = true;
	notes->held_from = check->stage;
	notes->held_until = check->report;
	notes->held_verdict = *v;
}

struct verdict
pipeline_run_list(struct session *s, enum stage stage,
    const struct check *const checks[], size_t count)
{
	struct verdict result = verdict_pass();

	if (s->notes.held && s->notes.held_until <= stage)
		return s->notes.held_verdict;
	for (size_t i = 0; i < count && i < CHECKS_MAX; i++) {
		struct verdict v;

		if (checks[i]->stage != stage)
			continue;
		v = run_one(s, checks[i], s->notes.modes[i]);
		if (v.kind == VERDICT_TARPIT && v.tarpit > result.tarpit)
			result.tarpit = v.tarpit;
		if (v.kind == VERDICT_REJECT && checks[i]->report > stage)
			hold(&s->notes, checks[i], &v);
		else if (v.kind == VERDICT_REJECT)
			return v;
		if (v.kind == VERDICT_ACCEPT) {
			v.tarpit = result.tarpit;
			return v;
		}
	}
	if (stage == STAGE_RELAY)
		return verdict_reject(553, "5.7.1",
		    "sorry, that domain isn't in my list of allowed rcpthosts");
	return result;
}

struct verdict
pipeline_run(struct session *s, enum stage stage)
{
	return pipeline_run_list(s, stage, checks_list, checks_count);
}

void
notes_init(struct notes *notes)
{
	*notes = (struct notes){ .rcpthosts = NULL };
	for (size_t i = 0; i < CHECKS_MAX; i++)
		notes->modes[i] = CHECK_ON;
}

void
notes_reset(struct notes *notes)
{
	notes->good_sender = false;
	if (notes->held && notes->held_from >= STAGE_MAIL)
		notes->held = false;
}

void
notes_free(struct notes *notes)
{
	rcpthosts_free(&notes->rcpthosts);
}
