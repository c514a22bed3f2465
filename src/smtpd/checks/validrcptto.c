/*
 * control/validrcptto.cdb: the addresses that there are in the domains of
 * rcpthosts, as qmail-newvrt writes them.  Without the file all are good; one
 * that cannot be read says nothing, and the client is told to come back.
 */
#include "base/cdb.h"
#include "base/error.h"
#include "mail/address.h"
#include "smtpd/checks/list.h"
#include "smtpd/checks/rcpthosts.h"
#include "smtpd/log.h"
#include "smtpd/pipeline.h"

#include <stdlib.h>

#define UNREADABLE "unable to read control/validrcptto.cdb"

struct validrcptto {
	struct cdb_reader *reader; /* NULL: there is no such file */
};

void
validrcptto_free(struct validrcptto **kept)
{
	if (*kept == NULL)
		return;
	cdb_reader_free(&(*kept)->reader);
	free(*kept);
	*kept = NULL;
}

/* Opened at the first recipient of a session. */
static int
keep(struct notes *notes)
{
	int r;

	if (notes->validrcptto != NULL)
		return 0;
	notes->validrcptto = calloc(1, sizeof(*notes->validrcptto));
	if (notes->validrcptto == NULL)
		return QE_NOMEM;
	r = cdb_reader_open(
	    "control/validrcptto.cdb", &notes->validrcptto->reader);
	if (r == 0 || r == QE_ABSENT)
		return 0;
	validrcptto_free(&notes->validrcptto);
	return r;
}

static int
probe(struct cdb_reader *reader, const struct buf *key)
{
	struct strv value;

	if (key->err != 0)
		return QE_NOMEM;
	return cdb_reader_find(reader, buf_view(key), &value);
}

/* "-a-b@domain", then "-a@domain", of a local part "a-b-c". */
static int
find_root(struct cdb_reader *reader, struct strv local, struct strv domain)
{
	struct buf key = BUF_LIMIT(2 * ADDRESS_BYTES_MAX);
	int r = QE_ABSENT;

	for (size_t n = local.len; r == QE_ABSENT && n > 1; n--) {
		if (local.ptr[n - 1] != '-')
			continue;
		buf_reset(&key);
		buf_add_char(&key, '-');
		buf_add_view(&key, strv_head(local, n - 1));
		buf_add_char(&key, '@');
		buf_add_view(&key, domain);
		r = probe(reader, &key);
	}
	buf_free(&key);
	return r;
}

/* The address, the roots of its extension, its domain: 0 or QE_ABSENT. */
static int
find(struct cdb_reader *reader, struct strv address)
{
	struct buf lower = BUF_LIMIT(2 * ADDRESS_BYTES_MAX);
	struct strv local, domain;
	int r;

	buf_add_lower(&lower, address);
	r = probe(reader, &lower);
	local = address_local(buf_view(&lower));
	domain = address_domain(buf_view(&lower));
	if (r == QE_ABSENT)
		r = find_root(reader, local, domain);
	if (r == QE_ABSENT) {
		buf_consume(&lower, local.len);
		r = probe(reader, &lower);
	}
	buf_free(&lower);
	return r;
}

/* The candidate; one without a domain as qmail-send will complete it. */
static int
complete(
    const struct session *s, struct buf *address, struct control_error *err)
{
	int r = 0;

	buf_add_view(address, buf_view(&s->tx.candidate));
	if (strv_find(buf_view(address), '@') == STRV_NPOS) {
		buf_add_char(address, '@');
		r = control_line(CTL_ENVNOATHOST, address, err);
	}
	return r == 0 ? address->err : r;
}

/* 0 good, QE_ABSENT bad, or an error and err. */
static int
judge(const struct session *s, struct notes *notes, struct control_error *err)
{
	struct buf address = BUF_LIMIT(2 * ADDRESS_BYTES_MAX);
	int r = complete(s, &address, err);

	if (r == 0)
		r = rcpthosts_ask(
		    notes, address_domain(buf_view(&address)), err);
	if (r == 0) {
		*err = (struct control_error){ UNREADABLE };
		r = find(notes->validrcptto->reader, buf_view(&address));
	} else if (r == QE_ABSENT) {
		r = 0; /* not ours: a trusted client's mail to elsewhere */
	}
	buf_free(&address);
	return r;
}

static struct verdict
run(const struct session *s, struct notes *notes)
{
	struct control_error err = { UNREADABLE };
	int r = keep(notes);

	if (r == 0 && notes->validrcptto->reader != NULL)
		r = judge(s, notes, &err);
	if (r == 0)
		return verdict_pass();
	if (r == QE_ABSENT)
		return verdict_refuse(
		    550, "5.1.1", "sorry, no mailbox here by that name.");
	log_trouble(s, err.text);
	return verdict_reject(451, "4.3.0", "unable to read validrcptto");
}

static const enum ctl controls[] = { CTL_VALIDRCPTTO_CDB, CTL_ENVNOATHOST,
	CTL_COUNT };

const struct check check_validrcptto = {
	.name = "validrcptto",
	.stage = STAGE_RCPT,
	.report = STAGE_RCPT,
	.skip = SKIP_POSTMASTER,
	.controls = controls,
	.run = run,
};
