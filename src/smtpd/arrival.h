/*
 * Since when the client may be waiting: what it sent last may have come long
 * before we read it, if somebody kept us from reading.
 *
 * The kernel tells how much has come that is unread.  What is read after so
 * many bytes more has come after that moment.
 */
#ifndef SMTPD_ARRIVAL_H
#define SMTPD_ARRIVAL_H

#include "base/io.h"

struct arrival {
	/* No byte that was read last, or is unread, came before this. */
	int64_t oldest_ms;
	int64_t seen_ms; /* when the kernel was asked */
	size_t ahead;    /* unread bytes that had come by then */
};

void arrival_init(struct arrival *a);
/* Around each source_fill. */
void arrival_before(struct arrival *a, const struct source *in);
void arrival_after(struct arrival *a, const struct source *in);

#endif
