/*
 * One question of smtp/sasl_ask.h judged: the virtual users of users/qpasswd
 * first, then the hashes of users/poppasswd.
 */
#ifndef AUTH_AUTHD_H
#define AUTH_AUTHD_H

#include "auth/qpasswd_index.h"
#include "base/buf.h"
#include "smtp/sasl_ask.h"

#include <sys/stat.h>

/* A worker's memory: users/qpasswd, until it is another file. */
struct authd {
	struct buf users;
	struct qpasswd_index index; /* of them */
	struct stat seen; /* of the file; st_ino 0: nothing was read yet */
};

void authd_init(struct authd *a);
/* The whole reply, into an empty buffer; what is wrong is said on 2. */
void authd_answer(struct authd *a, struct strv question, struct buf *reply);
void authd_free(struct authd *a);

#endif
