/*
 * The one line reader of all conversations, SMTP and POP3, both sides.
 *
 * A line has a deadline as a whole and a largest length; what is longer is
 * read to its end without being stored.
 */
#ifndef SMTP_LINE_H
#define SMTP_LINE_H

#include "base/buf.h"
#include "base/io.h"

enum line_flaw {
	LINE_TOO_LONG = 1,
	LINE_HAS_NUL = 2,
	LINE_BARE_CR = 4,
	LINE_BARE_LF = 8 /* ended by LF without CR */
};

/*
 * Reads one line into out (emptied first; out->max is the limit), without its
 * CR LF.  Returns 0 with *flaws (enum line_flaw bits), QE_EOF, QE_TIMEOUT,
 * QE_SYS, QE_NOMEM.  Bytes before an end without LF are dropped: QE_EOF.
 */
int line_read(
    struct source *in, int64_t deadline_ms, struct buf *out, unsigned *flaws);
/*
 * The same where lines have a total: takes *left bytes at most, LF included,
 * and counts them down.  QE_LIMIT if the line does not end within them.
 */
int line_read_within(struct source *in, int64_t deadline_ms, struct buf *out,
    unsigned *flaws, size_t *left);

#endif
