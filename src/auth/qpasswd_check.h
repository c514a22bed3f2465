/*
 * Comparing a proof with the passwords of a virtual user's home, for
 * checkqpasswd and qmail-authd: the same work whatever comes of it.
 */
#ifndef AUTH_QPASSWD_CHECK_H
#define AUTH_QPASSWD_CHECK_H

#include "auth/proof.h"
#include "auth/qpasswd_file.h"
#include "auth/run.h"

/* Why there is no answer, for a person. */
struct check_trouble {
	char text[256];
};

/*
 * 0: it is a password of the user's, and answer is for the private file;
 * CHECK_REFUSED; CHECK_MISUSE or EX_TEMPORARY with trouble.  Wants the rights
 * of the user, and the facts of the proof read.
 */
int qpasswd_check(struct qpasswd_user *user, const struct proof *p,
    struct buf *answer, struct check_trouble *trouble);

#endif
