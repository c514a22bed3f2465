/* Mail is never deleted by the hosting tools: its directory goes aside. */
#ifndef HOSTING_ASIDE_H
#define HOSTING_ASIDE_H

#include "base/buf.h"

/*
 * Renames path to "<front>.removed-<name>-<time>", or with a number behind if
 * that is there; the new path is in aside.  0, QE_ABSENT (there is no path),
 * QE_SYS, QE_NOMEM, QE_LIMIT.
 */
int aside_move(
    const char *path, const char *front, struct strv name, struct buf *aside);

#endif
