/*
 * The checks of a stage, asked in the order of the list.  ACCEPT and REJECT
 * end a stage, TARPIT adds a delay, PASS goes on.  Nobody's silence opens the
 * relay: at STAGE_RELAY a recipient that no check accepts is refused.
 */
#include "smtpd/pipeline.h"
#include "mail/address.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/origin.h"

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

struct verdict
verdict_good(void)
{
	return (struct verdict){ .kind = VERDICT_GOOD };
}

struct verdict
verdict_refuse(int code, const char *enhanced, const char *text)
{
	struct verdict v = verdict_reject(code, enhanced, text);

	v.tarpit = TARPIT_REJECTION;
	return v;
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

bool
pipeline_wants(const struct session *s, const struct check *check)
{
	for (size_t i = 0; i < checks_count; i++)
		if (checks_list[i] == check && s->notes.modes[i] == CHECK_OFF)
			return false;
	return !is_skipped(check, s);
}

/* What a check would have done. */
static void
log_watched(
    const struct session *s, const struct check *check, const struct verdict *v)
{
	if (v->kind == VERDICT_REJECT)
		log_event(s, "WATCH: %s: %d %s %s", check->name, v->reply.code,
		    v->reply.enhanced == NULL ? "" : v->reply.enhanced,
		    v->reply.text);
	else if (v->kind == VERDICT_GOOD)
		log_event(s, "WATCH: %s: good sender", check->name);
}

/* A check that only watches has its opinion logged, and passes. */
static struct verdict
run_one(struct session *s, const struct check *check, enum check_mode mode)
{
	struct verdict v;

	if (mode == CHECK_OFF || is_skipped(check, s))
		return verdict_pass();
	v = check->run(s, &s->notes);
	if (mode != CHECK_WATCH)
		return v;
	log_watched(s, check, &v);
	return verdict_pass();
}

/* Keeps a rejection until a stage has come; the first one counts. */
static void
hold(struct notes *notes, const struct check *check, enum stage until,
    const struct verdict *v)
{
	if (notes->held_by != NULL)
		return;
	notes->held_by = check;
	notes->held_until = until;
	notes->held_verdict = *v;
}

/* True if a rejection of an earlier stage is to be said now. */
static bool
is_held(struct session *s, enum stage stage)
{
	struct notes *notes = &s->notes;

	/* Another name may be a better one. */
	if (notes->held_by != NULL && stage == STAGE_HELO &&
	    notes->held_by->stage == STAGE_HELO)
		notes->held_by = NULL;
	return notes->held_by != NULL && notes->held_until <= stage &&
	       !is_skipped(notes->held_by, s);
}

/* Said now, later, or both: a refused HELO is no way to MAIL. */
static bool
reject(struct session *s, const struct check *check, const struct verdict *v)
{
	if (check->report > check->stage)
		hold(&s->notes, check, check->report, v);
	else if (check->stage == STAGE_HELO)
		hold(&s->notes, check, STAGE_MAIL, v);
	return check->report <= check->stage;
}

struct verdict
pipeline_run_list(struct session *s, enum stage stage,
    const struct check *const checks[], size_t count)
{
	struct verdict result = verdict_pass();

	if (is_held(s, stage))
		return s->notes.held_verdict;
	for (size_t i = 0; i < count && i < CHECKS_MAX; i++) {
		struct verdict v;

		if (checks[i]->stage != stage)
			continue;
		v = run_one(s, checks[i], s->notes.modes[i]);
		if (v.kind == VERDICT_TARPIT && v.tarpit > result.tarpit)
			result.tarpit = v.tarpit;
		if (v.kind == VERDICT_GOOD)
			s->notes.good_sender = true;
		if (v.kind == VERDICT_REJECT && reject(s, checks[i], &v))
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

struct verdict
pipeline_run_login(struct session *s, enum stage stage)
{
	struct verdict v = verdict_pass();

	for (size_t i = 0; i < checks_count && v.kind != VERDICT_REJECT; i++)
		if (checks_list[i]->stage == stage &&
		    checks_list[i]->is_of_login)
			v = run_one(s, checks_list[i], s->notes.modes[i]);
	return v;
}

void
notes_init(struct notes *notes)
{
	*notes = (struct notes){ .rcpthosts = NULL };
	for (size_t i = 0; i < CHECKS_MAX; i++)
		notes->modes[i] = CHECK_ON;
	notes->plugins_mode = CHECK_ON;
}

void
notes_reset(struct notes *notes)
{
	notes->good_sender = false;
	realrcptto_reset(notes->realrcptto);
	origin_reset(notes->origin);
	if (notes->held_by != NULL && notes->held_by->stage >= STAGE_MAIL)
		notes->held_by = NULL;
}

/* A check may have two places in the list, for two stages. */
int
notes_load_modes(struct notes *notes, struct control_error *err)
{
	struct control_set modes;
	int r = check_modes_load(&modes, err);

	/* Without the file all are on, as they were. */
	if (r != 0 || !modes.present)
		return r;
	for (size_t i = 0; i < checks_count; i++)
		notes->modes[i] =
		    check_modes_find(&modes, checks_list[i]->name);
	notes->plugins_mode = check_modes_find(&modes, CHECK_PLUGINS);
	control_set_free(&modes);
	return 0;
}

void
notes_free(struct notes *notes)
{
	rcpthosts_free(&notes->rcpthosts);
	bmchecks_free(notes);
	if (notes->has_date_rules)
		control_set_free(&notes->date_rules);
	notes->has_date_rules = false;
	clamd_free(&notes->clamd);
	rcptcheck_free(&notes->rcptcheck);
	validrcptto_free(&notes->validrcptto);
	realrcptto_free(&notes->realrcptto);
	origin_free(&notes->origin);
}
