/* Local sockets that servers listen on, without a moment of being absent. */
#ifndef BASE_LISTENER_H
#define BASE_LISTENER_H

#include <sys/types.h>

/*
 * Only one server for a path: a second would take the name from the first.
 * 0 and *fd, which holds "<path>.lock" until it is closed; QE_DENIED; QE_SYS.
 */
int listener_lock(const char *path, int *fd);

/*
 * Listens on a close-on-exec socket of the type (SOCK_NONBLOCK too), which
 * appears under its name when it is ready, in place of what was there.  group:
 * who may connect besides the caller, who is root; NULL: as the umask has it.
 * 0 and *fd; QE_LIMIT (the path is too long); QE_SYS.
 */
int listener_open(
    const char *path, int type, const gid_t *group, int backlog, int *fd);

#endif
