/* Lines of users/assign, for qmail-newu and qmail-showctl --check. */
#ifndef ADMIN_ASSIGN_H
#define ADMIN_ASSIGN_H

#include "base/buf.h"

/*
 * "=local:user:uid:gid:homedir:dash:ext:" or "+loc:..." to key and value of
 * users/cdb, appended; *wildcard is the last byte of loc, or NUL.  0,
 * QE_SYNTAX, QE_NOMEM.
 */
int assign_parse(
    struct strv line, struct buf *key, struct buf *value, char *wildcard);

/* True if the line ends the file. */
bool assign_is_end(struct strv line);

#endif
