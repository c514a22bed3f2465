/*
 * The private file of a server: taken by its descriptor where the path names
 * one of ours, which it does unless the server is another one.
 */
#include "auth/proof.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DESCRIPTOR_MAX = 1023 };

bool
proof_is_clear(const char *sasl)
{
	return strcmp(sasl, "plain") == 0 || strcmp(sasl, "login") == 0;
}

/* "/proc/self/fd/4": 4; or -1. */
static int
own_descriptor(struct strv path)
{
	static const struct strv dirs[] = {
		{"/proc/self/fd/", 14},
                { "/dev/fd/",      8 }
	};
	uint64_t n;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		if (strv_starts(path, dirs[i]) &&
		    strv_to_u64(strv_skip(path, dirs[i].len), DESCRIPTOR_MAX,
			&n) == 0 &&
		    n > CREDENTIALS_FD)
			return (int)n;
	return -1;
}

int
proof_open_file(struct proof *p)
{
	int fd = own_descriptor(strv_of(p->given->b));
	struct stat st;

	if (p->given->b[0] != '/')
		return QE_SYNTAX;
	if (fd >= 0)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	else if (getauxval(AT_SECURE) != 0)
		return QE_DENIED; /* not with rights that are not theirs */
	else
		fd = open(
		    p->given->b, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return QE_SYS;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		io_close(&fd);
		return QE_DENIED;
	}
	p->facts_fd = fd;
	return 0;
}

int
proof_read(struct proof *p)
{
	p->facts.max = PROOF_FACTS_MAX;
	if (p->facts_fd < 0)
		return 0;
	if (lseek(p->facts_fd, 0, SEEK_SET) < 0)
		return QE_SYS;
	return file_read_fd(p->facts_fd, &p->facts);
}

bool
proof_fact(const struct proof *p, const char *name, struct strv *value)
{
	struct strv rest = buf_view(&p->facts);

	while (rest.len > 0) {
		struct strv line = strv_cut(&rest, '\n', NULL);
		struct strv key;
		bool found;

		key = strv_cut(&line, '=', &found);
		if (found && strv_eq(key, strv_of(name))) {
			*value = line;
			return true;
		}
	}
	return false;
}

int
proof_leave(struct proof *p, const struct buf *answer)
{
	if (p->facts_fd < 0 || answer->len == 0)
		return 0;
	if (ftruncate(p->facts_fd, 0) != 0 ||
	    pwrite(p->facts_fd, answer->data, answer->len, 0) !=
		(ssize_t)answer->len)
		return QE_SYS;
	return 0;
}

void
proof_close(struct proof *p)
{
	io_close(&p->facts_fd);
	buf_free_secret(&p->facts);
}
