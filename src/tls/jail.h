/* Where strangers' bytes are read: no rights, no files, few system calls. */
#ifndef TLS_JAIL_H
#define TLS_JAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define JAIL_DIR "run/empty" /* root's, and nothing in it */

struct jail {
	bool is_root; /* else there are no rights to give up */
	uid_t uid;    /* of qmailt */
	gid_t gid;
};

/*
 * Closes every descriptor but 2 and those given, which become 3, 4 ...; at
 * most JAIL_FDS_MAX.  0 or QE_SYS.
 */
enum { JAIL_FDS_MAX = 4, JAIL_FD = 3 };
int jail_keep(const int *fds, size_t count);

/*
 * With root: an empty root directory and another uid.  Always: no processes,
 * no new descriptors, little memory.  0 or QE_SYS.
 */
int jail_enter(const struct jail *jail);
/*
 * The calls that a relay needs, and those to read files if may_open.  0 or
 * QE_SYS; a kernel without filters is none.
 */
int jail_lock(bool may_open);

#endif
