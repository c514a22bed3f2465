/*
 * The envelope as callers send it to qmail-queue: F<sender>\0, T<recip>\0 ...
 * and a last \0; checked while it passes, in any pieces.
 */
#ifndef SPOOL_ENVELOPE_STREAM_H
#define SPOOL_ENVELOPE_STREAM_H

#include "base/strv.h"

#include <stdbool.h>

struct envelope_stream {
	bool in_address; /* else at a letter or at the end */
	bool has_sender;
	bool complete;  /* the final NUL has been seen */
	size_t address; /* bytes of the present address so far */
};

/*
 * Checks the next bytes.  *used is how many of them belong into the queue
 * file: all, or those before the final NUL, after which complete is true and
 * nothing more is looked at.  0; QE_LIMIT (an address longer than
 * ADDRESS_MAX); QE_SYNTAX (wrong letter, CR or LF in an address).
 */
int envelope_stream_feed(
    struct envelope_stream *e, struct strv bytes, size_t *used);

#endif
