/* What a worker of qmail-authd can still do, beside what its uid may not. */
#ifndef AUTH_AUTHD_JAIL_H
#define AUTH_AUTHD_JAIL_H

#include <stdbool.h>

/*
 * From now on the process starts nothing, connects to nothing, and changes no
 * file system; with by_root it opens files for reading only, too.  0, also
 * where the kernel cannot do it (base/sandbox.h); QE_SYS.
 */
int authd_jail(bool by_root);

#endif
