/*
 * How many recipients a login has named lately: a file for each login in
 * cache/ratelimit, which all sessions of it share under a lock, and which
 * outlives them.
 *
 * The time is cut into RATE_PARTS or so, each counted as a whole: at no time
 * were there more recipients than allowed, but the last ones may be held
 * against the login a little longer.
 */
#ifndef SMTPD_RATE_RECORD_H
#define SMTPD_RATE_RECORD_H

#include "base/buf.h"
#include "conf/rate_limit.h"

#define RATE_DIR "cache/ratelimit"

enum {
	RATE_PARTS = 60,
	RATE_SLOTS = RATE_PARTS + 4,
	RATE_FILE_MAX = 64 * RATE_SLOTS, /* bytes of a record */
	RATE_NAME_MAX = 200 /* bytes of a file's name, without its hash */
};

struct rate_record {
	struct {
		int64_t start; /* seconds since 1970 */
		int64_t count; /* recipients */
	} slots[RATE_SLOTS];
	size_t count;
};

/* 0 or QE_CORRUPT; an empty text is an empty record. */
int rate_record_parse(struct strv text, struct rate_record *out);
void rate_record_format(const struct rate_record *r, struct buf *out);
/* Counts one more recipient: true, or false if that were too many. */
bool rate_record_take(
    struct rate_record *r, const struct rate_limit *limit, int64_t now);
/* The name of a login's file. */
void rate_record_name(struct strv user, struct buf *out);

/*
 * All of it for one recipient: 0; QE_LIMIT (too many); QE_SYS, QE_NOMEM;
 * QE_CORRUPT: the record could not be read and was begun anew, as if the
 * login had just used up what it has.
 */
int rate_take(struct strv user, const struct rate_limit *limit, int64_t now);

#endif
