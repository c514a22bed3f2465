/*
 * Asking a resident checker, qmail-authd(8), over a socket in the file system:
 * a question and an answer cost two system calls in place of a process.
 *
 * Packets (SOCK_SEQPACKET).  The question: the name for $SASL, login, a and b,
 * each ended by NUL, then what the private file would hold.  The answer: '0'
 * accepted, '1' refused, '2' misused, 't' no answer; then what the checker
 * would have left in the file.
 */
#ifndef SMTP_SASL_ASK_H
#define SMTP_SASL_ASK_H

#include "smtp/sasl_check.h"

enum {
	SASL_QUESTION_MAX = 64 + SASL_CREDENTIALS_MAX + SASL_FACTS_MAX,
	SASL_REPLY_MAX = 1 + SASL_ANSWER_MAX
};

/* "unix:/path" or "unix:path". */
bool sasl_ask_is_socket(const char *checker);
/* As sasl_check(). */
enum sasl_result sasl_ask(
    struct sasl *x, struct sasl_checker *how, struct buf *challenge);

#endif
