/* A datagram socket whose name is gone, and who may find it all the same. */
#include "smtp/tls_way.h"
#include "base/env.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	FD_MAX = 1 << 20, /* no descriptor of an environment is higher */
	NAME_SIZE = 32
};

static int
descriptor(struct strv text)
{
	uint64_t n;

	/* Our own standard descriptors are the client's, in clear. */
	if (strv_to_u64(text, FD_MAX, &n) != 0 || n <= STDERR_FILENO ||
	    fcntl((int)n, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return (int)n;
}

bool
tls_way_take(struct tls_way *w)
{
	struct strv life = strv_of(env_get("QMAILTLS"));
	bool found;
	struct strv place = strv_cut(&life, ':', &found);

	w->place = descriptor(place);
	w->life = found ? descriptor(life) : -1;
	env_unset("QMAILTLS");
	if (!tls_way_is_there(w))
		tls_way_close(w);
	return tls_way_is_there(w);
}

bool
tls_way_is_there(const struct tls_way *w)
{
	return w->place >= 0 && w->life >= 0;
}

void
tls_way_close(struct tls_way *w)
{
	io_close(&w->place);
	io_close(&w->life);
}

/* Where a descriptor is found as a file. */
static struct sockaddr_un
address_of(int fd, const char *below)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path),
	    "/proc/self/fd/%d%s", fd, below);
	return address;
}

static int
post(int place, int64_t seconds, const struct tls_order *order)
{
	const struct sockaddr_un to = address_of(place, "");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return QE_SYS;
	io_limit_writes(fd, seconds);
	r = order_send_to(fd, &to, order);
	io_close(&fd);
	return r;
}

int
tls_way_send(const struct tls_way *w, const struct tls_order *order)
{
	return post(w->place, TLS_WAY_SECONDS, order);
}

int
tls_way_post(int place, const struct tls_order *order)
{
	return post(place, TLS_WAY_POST_SECONDS, order);
}

bool
tls_way_is_place(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_PATH) != 0 && fstat(fd, &st) == 0 &&
	       S_ISSOCK(st.st_mode);
}

/* For a moment; in a directory of others nobody shall know it before. */
static int
choose_name(char name[NAME_SIZE])
{
	uint64_t n;

	if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
		return QE_SYS;
	snprintf(name, NAME_SIZE, "/orders.%016llx", (unsigned long long)n);
	return 0;
}

/*
 * A place in that directory, without its name.  Nobody else can open it while
 * it has one; afterwards everybody may send who has the way.  Or -1.
 */
static int
bind_place(int socket_fd, int dir)
{
	char name[NAME_SIZE];
	struct sockaddr_un at;
	struct stat st;
	mode_t mask;
	int place, r;

	if (choose_name(name) != 0)
		return -1;
	at = address_of(dir, name);
	mask = umask(0177);
	r = bind(socket_fd, (const struct sockaddr *)&at, sizeof(at));
	umask(mask);
	if (r < 0)
		return -1;
	place = openat(dir, name + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	(void)unlinkat(dir, name + 1, 0);
	if (place >= 0 && (fstat(place, &st) < 0 || !S_ISSOCK(st.st_mode) ||
			      st.st_uid != geteuid() ||
			      chmod(address_of(place, "").sun_path, 0666) < 0))
		io_close(&place);
	return place;
}

static int
open_run(const char *home)
{
	int dir = open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int run = -1;

	if (dir < 0)
		return -1;
	if (mkdirat(dir, "run", 0755) == 0 || errno == EEXIST)
		run = openat(
		    dir, "run", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	io_close(&dir);
	return run;
}

/* In the home, or where everybody may make files: a service without root. */
static int
find_place(int socket_fd, const char *home)
{
	int dir = open_run(home);
	int place = dir < 0 ? -1 : bind_place(socket_fd, dir);

	io_close(&dir);
	if (place >= 0)
		return place;
	dir = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		place = bind_place(socket_fd, dir);
	io_close(&dir);
	return place;
}

int
tls_way_make(const char *home, struct tls_way *w, int *orders, int *end)
{
	int pipe[2];

	*w = (struct tls_way){ .place = -1, .life = -1 };
	*orders = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (*orders >= 0)
		w->place = find_place(*orders, home);
	if (w->place >= 0 && io_pipe(pipe) == 0) {
		w->life = pipe[1];
		*end = pipe[0];
		return 0;
	}
	io_close(orders);
	io_close(&w->place);
	return QE_SYS;
}
