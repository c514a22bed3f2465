/*
 * control/realrcptto: recipients whose delivery would bounce for want of an
 * account or a .qmail file are refused now.  What a delivery would find is
 * asked of the code that delivers; where this process may not look,
 * qmail-realrcpt does.  In doubt the recipient is taken.
 *
 * With $QMAILRRTDENYALL one such recipient is the end of the whole message.
 */
#include "base/cdb.h"
#include "base/env.h"
#include "base/error.h"
#include "conf/mailbox.h"
#include "conf/mailbox_ask.h"
#include "conf/resolve.h"
#include "mail/address.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"

#include <stdlib.h>
#include <unistd.h>

enum { ASK_MS = 5000 }; /* each step of asking qmail-realrcpt */

struct realrcptto {
	bool enabled;
	bool denied; /* this transaction, for a recipient of it */
	struct resolver *resolver;
	struct cdb_reader *assign;
};

void
realrcptto_free(struct realrcptto **kept)
{
	if (*kept == NULL)
		return;
	resolver_free(&(*kept)->resolver);
	cdb_reader_free(&(*kept)->assign);
	free(*kept);
	*kept = NULL;
}

void
realrcptto_reset(struct realrcptto *kept)
{
	if (kept != NULL)
		kept->denied = false;
}

static int
load(struct realrcptto *out, struct control_error *err)
{
	int64_t enabled;
	int r = control_int(CTL_REALRCPTTO, &enabled, err);

	if (r != 0)
		return r;
	out->enabled = enabled != 0;
	return out->enabled ? resolver_open(&out->resolver, err) : 0;
}

/* Reads the controls at the first recipient of a session. */
static int
keep(struct notes *notes, struct control_error *err)
{
	int r;

	if (notes->realrcptto != NULL)
		return 0;
	notes->realrcptto = calloc(1, sizeof(*notes->realrcptto));
	if (notes->realrcptto == NULL)
		return QE_NOMEM;
	r = load(notes->realrcptto, err);
	if (r != 0)
		realrcptto_free(&notes->realrcptto);
	return r;
}

/* The one who may look: 0, QE_ABSENT, or no answer, which is logged. */
static int
ask(const struct session *s, struct strv local)
{
	int r = mailbox_ask(local, ASK_MS);

	if (r == QE_SYS)
		log_event(s, "realrcptto: unable to ask qmail-realrcpt: %s",
		    error_result_text(r));
	return r;
}

/* As qmail-lspawn and qmail-local: 0, QE_ABSENT, or there is no telling. */
static int
look(const struct session *s, struct realrcptto *kept, struct strv local)
{
	struct user_entry entry = { .bytes = BUF_INIT };
	int r = users_find_assigned("users/cdb", local, &kept->assign, &entry);

	if (r == 0)
		r = mailbox_look(&entry);
	else if (r == QE_ABSENT)
		r = QE_DENIED; /* the password database is not ours to ask */
	else
		log_event(s, "realrcptto: unable to read users/cdb: %s",
		    error_result_text(r));
	user_entry_free(&entry);
	return r == QE_DENIED ? ask(s, local) : r;
}

/* 0, QE_ABSENT (no mailbox), or another negative code: there is no telling. */
static int
judge(const struct session *s, struct realrcptto *kept)
{
	struct buf routed = BUF_LIMIT(4 * ADDRESS_BYTES_MAX);
	struct strv local;
	int r = 0;

	if (resolver_route(kept->resolver, buf_view(&s->tx.candidate),
		&routed) == CHANNEL_LOCAL) {
		local = address_local(buf_view(&routed));
		if (routed.err != 0)
			r = routed.err;
		else if (local.len > 0)
			r = look(s, kept, local);
	}
	buf_free(&routed);
	return r;
}

static struct verdict
refuse(void)
{
	return verdict_refuse(
	    550, "5.1.1", "sorry, no mailbox here by that name.");
}

/* A check that only watches must not have the message refused later. */
static bool
is_on(const struct notes *notes)
{
	for (size_t i = 0; i < checks_count; i++)
		if (checks_list[i] == &check_realrcptto)
			return notes->modes[i] == CHECK_ON;
	return false;
}

static bool
denies_all(void)
{
	struct strv value = strv_of(env_get("QMAILRRTDENYALL"));

	return value.len > 0 && !strv_eq(value, STRV("0"));
}

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct control_error err = { "realrcptto: out of memory" };
	struct realrcptto *kept;

	if (keep(notes, &err) != 0) {
		log_trouble(s, err.text);
		return verdict_reject(
		    451, "4.3.0", "unable to read realrcptto");
	}
	kept = notes->realrcptto;
	if (!kept->enabled)
		return verdict_pass();
	if (kept->denied)
		return refuse();
	if (judge(s, kept) != QE_ABSENT)
		return verdict_pass();
	log_event(s, "realrcptto %ld " STRV_FMT " " STRV_FMT, (long)getpid(),
	    STRV_ARG(s->peer.remote_ip), STRV_ARG(buf_view(&s->tx.candidate)));
	kept->denied = denies_all() && is_on(notes);
	return refuse();
}

static struct verdict
run_data(const struct session *s, struct notes *notes)
{
	(void)s;
	if (notes->realrcptto != NULL && notes->realrcptto->denied)
		return refuse();
	return verdict_pass();
}

static const enum ctl controls[] = { CTL_REALRCPTTO, CTL_ENVNOATHOST, CTL_ME,
	CTL_LOCALS, CTL_PERCENTHACK, CTL_VIRTUALDOMAINS, CTL_COUNT };

const struct check check_realrcptto = {
	.name = "realrcptto",
	.stage = STAGE_RCPT,
	.report = STAGE_RCPT,
	.controls = controls,
	.run = run,
};

const struct check check_realrcptto_data = {
	.name = "realrcptto",
	.stage = STAGE_DATA,
	.report = STAGE_DATA,
	.controls = controls,
	.run = run_data,
};
