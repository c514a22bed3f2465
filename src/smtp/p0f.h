/*
 * The API of p0f 3: a question about an address, and its answer, both of a
 * fixed size, on a local socket.
 */
#ifndef SMTP_P0F_H
#define SMTP_P0F_H

#include "base/buf.h"
#include "base/net.h"

enum {
	P0F_QUESTION_BYTES = 21,
	P0F_ANSWER_BYTES = 232,
	P0F_FIELD_BYTES = 32, /* of a text in the answer, its NUL included */
	P0F_OS_MAX = 2 * P0F_FIELD_BYTES + 1, /* bytes */
	P0F_ABOUT_MAX = P0F_OS_MAX + 3 * P0F_FIELD_BYTES
};

void p0f_question(
    const struct ipaddr *ip, unsigned char out[P0F_QUESTION_BYTES]);
/*
 * os: "Linux 3.11 and newer"; about: the same and what else p0f knows, in
 * parentheses.  Both are printable ASCII.  0; QE_ABSENT (p0f has no guess);
 * QE_SYNTAX (no answer of a p0f); QE_LIMIT, QE_NOMEM.
 */
int p0f_answer_parse(const unsigned char in[P0F_ANSWER_BYTES], struct buf *os,
    struct buf *about);

#endif
