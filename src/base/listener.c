/* Listening sockets with names; see the header. */
#include "base/listener.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATH_BYTES = 128, GROUP_MODE = 0660 };

int
listener_lock(const char *path, int *fd)
{
	char name[PATH_BYTES];
	int lock;

	snprintf(name, sizeof(name), "%s.lock", path);
	lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0)
		return QE_SYS;
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		io_close(&lock);
		return errno == EWOULDBLOCK ? QE_DENIED : QE_SYS;
	}
	*fd = lock;
	return 0;
}

/* Under another name first: nobody meets a socket that is not ready. */
static int
bind_and_name(int fd, const char *path, const gid_t *group, int backlog)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int n = snprintf(name.sun_path, sizeof(name.sun_path), "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof(name.sun_path))
		return QE_LIMIT;
	if (unlink(name.sun_path) < 0 && errno != ENOENT)
		return QE_SYS;
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0)
		return QE_SYS;
	if (group != NULL && (lchown(name.sun_path, 0, *group) < 0 ||
				 chmod(name.sun_path, GROUP_MODE) < 0))
		return QE_SYS;
	if (listen(fd, backlog) < 0 || rename(name.sun_path, path) < 0)
		return QE_SYS;
	return 0;
}

int
listener_open(
    const char *path, int type, const gid_t *group, int backlog, int *fd)
{
	int s = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int r;

	if (s < 0)
		return QE_SYS;
	r = bind_and_name(s, path, group, backlog);
	if (r != 0) {
		io_close(&s);
		return r;
	}
	*fd = s;
	return 0;
}
