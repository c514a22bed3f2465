/* The fields that qmail-inject adds in front of a header. */
#ifndef INJECT_NEWFIELDS_H
#define INJECT_NEWFIELDS_H

#include "inject/envelope.h"

/*
 * Appends what the header lacks.  0, or QE_SYNTAX, QE_LIMIT (user or host of
 * the environment make no address), QE_NOMEM.
 */
int newfields_add(const struct settings *s, const struct header *h,
    const struct rewriting *r, struct buf *out);

#endif
