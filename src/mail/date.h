/* Dates as qmail writes them; always UTC. */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/buf.h"

#include <stdint.h>

/* "22 Nov 2026 01:18:25 -0000" */
void date_add_822(struct buf *out, int64_t unix_time);
/* "Sun Nov 22 01:18:25 2026", day padded with zero */
void date_add_ctime(struct buf *out, int64_t unix_time);
/* "20261122011825", for Message-ID */
void date_add_compact(struct buf *out, int64_t unix_time);

/*
 * The number of a day of the Gregorian calendar, 1 January 1970 being 0: 0,
 * or QE_SYNTAX if there is no such day.  Months and days count from 1, years
 * go from 0 to 9999.
 */
int date_to_day(int64_t year, unsigned month, unsigned day, int64_t *out);

#endif
