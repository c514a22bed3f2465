/* The .qmail files that newaliases makes in the directory alias. */
#ifndef ADMIN_ALIAS_FILES_H
#define ADMIN_ALIAS_FILES_H

#include "base/buf.h"

#include <stdbool.h>

/* How every file begins that may be replaced and removed. */
#define ALIAS_MARK "# made by newaliases"

enum alias_owner { ALIAS_NOBODYS, ALIAS_OURS, ALIAS_OTHERS };

/* What there is under the name: nothing, one of ours, another.  Or QE_SYS. */
int alias_file_look(int dir, const char *name, enum alias_owner *out);
/* Replaces it in one step; on the disk afterwards but for its name.  QE_SYS. */
int alias_file_write(int dir, const char *name, struct strv text);

#endif
