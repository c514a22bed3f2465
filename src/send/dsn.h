/*
 * Bounces as RFC 3464 wants them, with control/bouncestyle dsn: a
 * multipart/report of the text that people read, a part for programs, and the
 * message.
 */
#ifndef SEND_DSN_H
#define SEND_DSN_H

#include "send/send.h"

enum {
	DSN_BOUNDARY_MAX = 64,
	DSN_DIAGNOSTIC_MAX = 800 /* bytes of a Diagnostic-Code */
};

struct dsn {
	char boundary[DSN_BOUNDARY_MAX];
	bool eight_bit; /* text or message have bytes above 127 */
};

/* A boundary that nobody can guess.  0 or QE_SYS. */
int dsn_init(struct dsn *d, uint64_t id, int64_t now);
/* True if 8-bit bytes are in it. */
bool dsn_has_eight_bit(struct strv bytes);
/* Header, and the first part up to where the paragraphs of bounce/ follow. */
void dsn_add_head(struct buf *out, const struct dsn *d,
    const struct send_config *config, const struct bounce *b, int64_t now);
/* Behind the paragraphs: the part for programs, without its recipients. */
void dsn_add_status(struct buf *out, const struct dsn *d,
    const struct send_config *config, int64_t birth);
/*
 * Takes the next paragraph of bounce/ off *rest and adds what programs want
 * to know of it; false at the end.
 */
bool dsn_add_recipient(struct buf *out, struct strv *rest);
/* Up to the message. */
void dsn_add_message(struct buf *out, const struct dsn *d, struct strv sender);
void dsn_add_end(struct buf *out, const struct dsn *d);

#endif
