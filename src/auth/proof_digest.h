/* The mechanisms of proof.c that have a private file: see proof_check(). */
#ifndef AUTH_PROOF_DIGEST_H
#define AUTH_PROOF_DIGEST_H

#include "auth/proof.h"

int proof_check_digest(const struct proof *p, struct strv password, bool *match,
    struct buf *answer);
int proof_check_scram(const struct proof *p, struct strv password, bool *match,
    struct buf *answer);

/* UTF-8 as ISO 8859-1 where that has all its characters, else as it is. */
void proof_add_latin1(struct buf *out, struct strv utf8);

#endif
