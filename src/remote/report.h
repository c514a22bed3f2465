/*
 * What qmail-remote tells qmail-rspawn: a record for each recipient that was
 * asked for, in their order, and one for the message (qmail-remote(8)).
 */
#ifndef REMOTE_REPORT_H
#define REMOTE_REPORT_H

#include "base/buf.h"

enum {
	REPORT_TEXT_MAX = 8192, /* bytes of one record */
	REPORT_SAID_MAX = 5000  /* of what a server said in it */
};

enum recipient_state {
	RECIPIENT_UNASKED = 0,
	RECIPIENT_ACCEPTED = 'r',
	RECIPIENT_REJECTED = 'h',
	RECIPIENT_DEFERRED = 's'
};

struct recipient {
	struct strv address;
	enum recipient_state state; /* the last answer, of any exchanger */
	struct buf text;            /* the record without its letter */
};

struct report {
	struct recipient *recipients; /* owned; so are their texts */
	size_t count;
	char letter; /* K, Z or D; 0 as long as nothing is known */
	struct buf text;
};

/* The addresses are lent.  0 or QE_NOMEM. */
int report_init(struct report *report, char *const *addresses, size_t count);
void report_free(struct report *report);

/*
 * The first recipient from index i on that no exchanger has rejected yet, or
 * their count.
 */
size_t report_pending_from(const struct report *report, size_t i);

/* Says how the message fared, instead of what was said before. */
void report_set(struct report *report, char letter, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for one recipient. */
void report_set_recipient(struct recipient *recipient,
    enum recipient_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * One recipient was handled apart from the others, with a report of its own:
 * what that says of the message becomes what is said of the recipient.  The
 * whole says of the message the best of all.
 */
void report_merge(struct report *whole, struct recipient *recipient,
    const struct report *alone);
/* Appends "Remote host said: ...", cut at REPORT_SAID_MAX bytes; nothing for
 * an empty reply. */
void report_add_said(struct buf *text, struct strv said);

/*
 * What would be written if this recipient were the only one: its record, if
 * it was asked for, and the message's.
 */
void report_add_single(
    const struct report *report, size_t index, struct buf *out);
/*
 * Writes everything at once.  Records stop before the first recipient that
 * was never asked for, as only its place tells whom a record is for.  0 or
 * QE_SYS, QE_NOMEM.
 */
int report_write(const struct report *report, int fd);

#endif
