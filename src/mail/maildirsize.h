/*
 * The text of a maildirsize file, as Maildir++ defines it: a quota in the
 * first line ("1000000S,500C"), then lines "bytes messages" whose sum is what
 * the mailbox holds; numbers may be negative.  maildir(5).
 */
#ifndef MAIL_MAILDIRSIZE_H
#define MAIL_MAILDIRSIZE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { MAILDIRSIZE_QUOTA_MAX = 100 /* bytes of the first line */ };

/* Larger quotas and sums are no numbers to us: all arithmetic stays exact. */
#define MAILDIRSIZE_NUMBER_MAX (INT64_C(1) << 56)

struct maildirsize {
	int64_t max_bytes, max_messages; /* 0: no limit */
	int64_t bytes, messages;         /* the sums; not below 0 */
	size_t lines;                    /* behind the first */
	struct strv quota;               /* the first line; lives with text */
};

/*
 * 0; QE_SYNTAX: the first line is no quota, and *out is untouched;
 * QE_CORRUPT: the quota stands, the lines behind it cannot be trusted.
 */
int maildirsize_parse(struct strv text, struct maildirsize *out);

/* True if so much more fits; a limit reached exactly still fits. */
bool maildirsize_admits(
    const struct maildirsize *size, int64_t bytes, int64_t messages);

/* "bytes messages" and an LF. */
void maildirsize_add_line(struct buf *out, int64_t bytes, int64_t messages);

/*
 * What a file name says of its message: the number behind ",S=", or -1; and
 * whether readers count it (not those marked as trash, ":2,...T...").
 */
int64_t maildirsize_of_name(struct strv name);
bool maildirsize_counts(struct strv name);

#endif
