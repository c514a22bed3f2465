/*
 * One question of smtp/sasl_ask.h judged: by the virtual users of qpasswd,
 * then the hashes of hosted mailboxes, then, without root, those of
 * users/poppasswd.
 */
#ifndef AUTH_AUTHD_H
#define AUTH_AUTHD_H

#include "auth/authd_files.h"
#include "smtp/sasl_ask.h"

struct authd {
	const struct authd_files *files; /* lent, and loaded */
	bool has_private;                /* users/poppasswd counts, too */
};

/* The whole reply, into an empty buffer; what is wrong is said on 2. */
void authd_answer(
    const struct authd *a, struct strv question, struct buf *reply);

#endif
