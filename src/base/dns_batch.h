/*
 * Many questions at a time: all are sent at once, and one deadline holds for
 * all of them together.  Each has the care of dns_exchange: fresh id and port
 * for each try, every server in turn, TCP after truncation.
 */
#ifndef BASE_DNS_BATCH_H
#define BASE_DNS_BATCH_H

#include "base/dns_message.h"

enum { DNS_BATCH_MAX = 64 };

struct dns_question {
	struct strv name; /* borrowed */
	unsigned type;    /* enum dns_type */
	struct dns_found found;
	bool done;
	/* 0, QE_ABSENT, QE_DENIED, QE_SYNTAX, QE_NOMEM as dns_mx; QE_TEMP
	 * where there was no usable answer; meaningless until done. */
	int result;
};

/*
 * Asks until each question is done, the deadline passes or enough(context)
 * says after some answers that the rest does not matter (NULL: it does).
 * Questions without an answer by then are not done.  0, QE_LIMIT (too many),
 * QE_NOMEM.
 */
int dns_ask_all(struct dns *dns, struct dns_question *questions, size_t count,
    int64_t deadline_ms, bool (*enough)(void *context), void *context);

#endif
