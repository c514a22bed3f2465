/*
 * control/auth/norelay and norelay.cdb: logins that fetch mail and do not
 * send it.  They are told at MAIL, not at AUTH: the password is right.
 */
#include "base/cdb.h"
#include "base/error.h"
#include "smtpd/auth.h"
#include "smtpd/checks/list.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"

/* 0: listed; QE_ABSENT; else what kept us from knowing, and err tells. */
static int
find_in_list(struct strv user, struct control_error *err)
{
	struct control_set set;
	int r = control_set_load(CTL_AUTH_NORELAY, &set, err);

	if (r != 0)
		return r == QE_ABSENT ? QE_SYS : r;
	r = control_set_find(&set, user) != NULL ? 0 : QE_ABSENT;
	control_set_free(&set);
	return r;
}

static int
find_in_cdb(struct strv user, struct control_error *err)
{
	struct buf key = BUF_LIMIT(SASL_USER_MAX);
	struct cdb_reader *reader;
	struct strv value;
	int r = cdb_reader_open("control/auth/norelay.cdb", &reader);

	if (r == QE_ABSENT)
		return r;
	buf_add_lower(&key, user);
	if (r == 0) {
		r = key.err != 0
			? key.err
			: cdb_reader_find(reader, buf_view(&key), &value);
		cdb_reader_free(&reader);
	}
	buf_free(&key);
	if (r != 0 && r != QE_ABSENT)
		*err = (struct control_error){
			"unable to read control/auth/norelay.cdb"
		};
	return r;
}

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct control_error err = { .text = "norelay: out of memory" };
	int r;

	(void)notes;
	if (!auth_is_done(s))
		return verdict_pass();
	r = find_in_list(auth_user(s), &err);
	if (r == QE_ABSENT)
		r = find_in_cdb(auth_user(s), &err);
	if (r == QE_ABSENT)
		return verdict_pass();
	if (r == 0)
		return verdict_reject(
		    550, "5.7.1", "sorry, this login may not send mail");
	log_trouble(s, err.text);
	return verdict_reject(451, "4.3.0", "unable to read controls");
}

static const enum ctl controls[] = { CTL_AUTH_NORELAY, CTL_AUTH_NORELAY_CDB,
	CTL_COUNT };

const struct check check_norelay = {
	.name = "norelay",
	.stage = STAGE_MAIL,
	.report = STAGE_MAIL,
	.controls = controls,
	.run = run,
};
