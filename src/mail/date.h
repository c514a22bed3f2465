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

#endif
