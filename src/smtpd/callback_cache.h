/*
 * Outcomes of callbacks on disk, so that a burst from one sender causes one
 * callback, over however many sessions.
 *
 * cache/mfcheck of the home holds a fixed number of small files, each for the
 * last sender that fell on it.  Whoever calls holds the file's lock, and who
 * wants to know the same waits for the outcome.  The file system needs no
 * care: a file that is damaged or another's tells nothing.
 */
#ifndef SMTPD_CALLBACK_CACHE_H
#define SMTPD_CALLBACK_CACHE_H

#include "conf/mfcheck.h"
#include "smtpd/callback.h"

#define CALLBACK_CACHE_DIR "cache/mfcheck"

enum {
	CALLBACK_CACHE_FILES = 4096,
	CALLBACK_RECORD_MAX = 3072, /* bytes of a file */
	CALLBACK_CACHE_POLL_MS = 50 /* while another session calls */
};

enum callback_known {
	CALLBACK_KNOWN,  /* the outcome is filled in */
	CALLBACK_OURS,   /* nobody knows, nobody else asks: *fd is the lock */
	CALLBACK_UNKEPT, /* there is no cache */
	CALLBACK_BUSY    /* somebody else was asking until the deadline */
};

/* After CALLBACK_OURS alone there is *fd to give to callback_cache_put. */
enum callback_known callback_cache_get(struct strv address,
    const struct mfcheck_times *times, int64_t deadline_ms,
    struct callback_outcome *outcome, int *fd);
/* Keeps the outcome, if any, and lets others go on.  Failures only cost. */
void callback_cache_put(
    int *fd, struct strv address, const struct callback_outcome *outcome);

/* A file's content, and what parses as one of this address: 0, QE_ABSENT (of
 * another), QE_CORRUPT.  said dies with record. */
void callback_record_make(struct buf *out, struct strv address,
    enum callback_result result, struct strv said);
int callback_record_parse(struct strv record, struct strv address,
    enum callback_result *result, struct strv *said);

#endif
