/*
 * Where a message says it comes from: what mfcheck and mxblacklist share of
 * controls and look-ups.  Read and asked when the first of them needs it.
 */
#ifndef SMTPD_ORIGIN_H
#define SMTPD_ORIGIN_H

#include "conf/mfcheck.h"
#include "conf/nets.h"
#include "smtpd/check.h"
#include "smtpd/exchangers.h"

enum mfcheck_level { MFCHECK_OFF, MFCHECK_DNS, MFCHECK_CALLBACK };

struct origin {
	/* Of the session. */
	bool loaded;
	int64_t level;         /* enum mfcheck_level */
	int64_t seconds;       /* for all questions about one sender */
	struct nets blacklist; /* addresses that are no exchangers */
	struct mfcheck_times times;
	struct buf helo, servers; /* read with the first question */
	struct dns *dns;
	unsigned callbacks; /* made so far */
	/* Of the transaction. */
	int64_t deadline_ms; /* 0: nothing was asked yet */
	bool has_found;
	int found; /* result of the look-up: 0, QE_ABSENT, QE_TEMP ... */
	struct exchangers exchangers;
	bool is_judged; /* by mfcheck, which then said verdict */
	struct verdict verdict;
};

/*
 * The notes' origin with its controls loaded; NULL and *refusal where they
 * cannot be read.
 */
struct origin *origin_get(
    const struct session *s, struct notes *notes, struct verdict *refusal);
/*
 * Looks the sender's domain up, once in a transaction: what
 * exchangers_find says.
 */
int origin_find(const struct session *s, struct origin *o);
/* 451 for QE_TEMP and whatever else keeps us from knowing. */
struct verdict origin_unknown(int result);
/* The reply where a control file is at fault, which is logged. */
struct verdict origin_misconfigured(const struct session *s, const char *why);

/* Forgets the transaction; NULL is fine. */
void origin_reset(struct origin *o);
void origin_free(struct origin **o);

#endif
