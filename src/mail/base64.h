/*
 * Base64 (RFC 4648 section 4), strict: what decodes has one form only.
 */
#ifndef MAIL_BASE64_H
#define MAIL_BASE64_H

#include "base/buf.h"

void base64_encode(struct buf *out, struct strv bytes);
/*
 * Appends the bytes.  0; QE_SYNTAX (a byte outside the alphabet, a length that
 * is no multiple of four, missing or misplaced padding, bits set behind the
 * last byte), out is then unchanged; what the buffer says (QE_LIMIT,
 * QE_NOMEM).
 */
int base64_decode(struct buf *out, struct strv text);

#endif
