/*
 * Those who look at a message while it arrives: scanners, plugins that judge
 * the content, fingerprints.
 *
 * A tap is a table of functions beside a check of STAGE_CONTENT, which says
 * what the client hears; what both remember is in the session's notes.  After
 * the final dot all of them, the checks and qmail-queue share one deadline,
 * s->tx.dot_deadline_ms.
 */
#ifndef SMTPD_TAP_H
#define SMTPD_TAP_H

#include "smtpd/session.h"

struct tap {
	/* Where this is off, or not for this session, the tap is not asked;
	 * NULL: always asked. */
	const struct check *check;
	/*
	 * DATA is accepted, 354 not yet said.  fields are the lines that this
	 * host puts before the message, LF line ends.  False: this message is
	 * not looked at, and none of the others is called for it.
	 */
	bool (*begin)(struct session *s, struct strv fields);
	/*
	 * The next bytes of the message, as the client sent them but for dots
	 * and with LF line ends.  Whoever has to wait for somebody else here
	 * lets the client wait, too: not beyond the deadline.
	 */
	void (*feed)(struct session *s, struct strv bytes, int64_t deadline_ms);
	/* That was all; the checks of STAGE_CONTENT are next.  May be NULL. */
	void (*end)(struct session *s);
	/* Nobody needs this message's any more; always comes, also early. */
	void (*close)(struct session *s);
};

extern const struct tap tap_clamd; /* checks/clamd.c */

/* All taps, in the order in which they are called; NULL at the end. */
extern const struct tap *const taps_list[];

/* Asks each tap of the list, and remembers in s->tx who wants this message. */
void taps_begin(
    struct session *s, const struct tap *const list[], struct strv fields);
void taps_feed(struct session *s, struct strv bytes, int64_t deadline_ms);
void taps_end(struct session *s);
void taps_close(struct session *s);

#endif
