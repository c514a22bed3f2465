/* Who is at the other end, as that end says it (RFC 1413). */
#ifndef BASE_IDENT_H
#define BASE_IDENT_H

#include "base/net.h"

enum { IDENT_PORT = 113, IDENT_LINE_MAX = 1000, IDENT_USER_MAX = 512 };

struct ident_question {
	struct ipaddr local, remote;
	uint16_t local_port, remote_port;
};

/*
 * Appends the user to out: 0; QE_ABSENT (no server, no answer in time, or none
 * that names a user); QE_NOMEM.
 */
int ident_ask(const struct ident_question *question, int64_t deadline_ms,
    struct buf *out);

/* The user in an answer, without its line end: 0, QE_ABSENT, QE_NOMEM. */
int ident_parse(struct strv line, struct buf *out);

#endif
