/*
 * What a process of qmail-scand can still do after it has given up the rest:
 * files by Landlock, system calls by seccomp.  A kernel without either leaves
 * the limits that there are without it: the user's rights and rlimits.
 */
#ifndef SCAN_SANDBOX_H
#define SCAN_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sandbox_path {
	const char *path;
	bool writable;
};

/*
 * Only what is below these paths can be opened from now on, by children too.
 * A path that does not exist is passed over.  0; QE_ABSENT (no Landlock in
 * this kernel); QE_SYS.
 */
int sandbox_files(const struct sandbox_path *paths, size_t count);

enum sandbox_role {
	SANDBOX_FRONT, /* and keepers, which it starts */
	SANDBOX_WORKER /* no processes, no sockets but those it has */
};

/*
 * All system calls but those of the role fail with EPERM from now on; none of
 * them can start a program or open a connection.  0; QE_ABSENT; QE_NOMEM.
 */
int sandbox_calls(enum sandbox_role role);

#endif
