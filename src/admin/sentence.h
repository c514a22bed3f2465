/* One sentence for each value of a control file. */
#ifndef ADMIN_SENTENCE_H
#define ADMIN_SENTENCE_H

#include "conf/control.h"

/*
 * "<name>: ", "(Default.) " if the file is absent, what it says, and a line
 * end; lists have a line for each entry.  A file that cannot be read or does
 * not parse gets a sentence about that.
 */
void sentence_add(enum ctl id, struct buf *out);
/* Text on its way to a terminal: control characters become underscores. */
void sentence_add_printable(struct buf *out, struct strv text);

#endif
