/* Netstrings: "<decimal length>:<bytes>,". */
#ifndef MAIL_NETSTRING_H
#define MAIL_NETSTRING_H

#include "base/buf.h"

void netstring_add(struct buf *out, struct strv bytes);
/*
 * Takes one netstring off the front of *in: 0, QE_EOF (more bytes needed),
 * QE_SYNTAX, QE_LIMIT (length above max).
 */
int netstring_take(struct strv *in, size_t max, struct strv *out);

#endif
