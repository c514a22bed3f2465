/* An alias of /etc/aliases as the text of a .qmail file. */
#ifndef ADMIN_ALIAS_LINES_H
#define ADMIN_ALIAS_LINES_H

#include "base/buf.h"

enum { ALIAS_INCLUDE_DEPTH = 5 };

/*
 * ".qmail-<name>" as qmail-local looks for it.  0; QE_SYNTAX (no name that
 * mail could come to, or one that would catch the mail of others); QE_NOMEM.
 */
int alias_file_name(struct strv name, struct buf *out);

/*
 * Adds a line for each value; included files are read now.  0; QE_SYNTAX,
 * QE_LIMIT (included too deep, or too much), QE_SYS (errno), QE_NOMEM; culprit
 * then holds the file or value that is wrong.
 */
int alias_add_lines(
    struct strv name, struct strv values, struct buf *out, struct buf *culprit);

#endif
