/*
 * The .qmail files that newaliases makes.  The directory belongs to the alias
 * user and root works in it: names are opened below a descriptor, links are
 * not followed, and nothing is written to a file that was there before.
 */
#include "admin/alias_files.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char tmp_name[] = ".newaliases.tmp";

int
alias_file_look(int dir, const char *name, enum alias_owner *out)
{
	static const char mark[] = ALIAS_MARK;
	char start[sizeof(mark) - 1];
	struct stat st;
	ssize_t got;
	int fd =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	*out = ALIAS_OTHERS;
	if (fd < 0) {
		if (errno == ENOENT)
			*out = ALIAS_NOBODYS;
		return errno == ENOENT || errno == ELOOP ? 0 : QE_SYS;
	}
	got = fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
		  ? io_read(fd, start, sizeof(start))
		  : 0;
	if (got == (ssize_t)sizeof(start) &&
	    memcmp(start, mark, sizeof(start)) == 0)
		*out = ALIAS_OURS;
	io_close(&fd);
	return got < 0 ? QE_SYS : 0;
}

int
alias_file_write(int dir, const char *name, struct strv text)
{
	int fd, saved;

	if (unlinkat(dir, tmp_name, 0) < 0 && errno != ENOENT)
		return QE_SYS;
	fd = openat(
	    dir, tmp_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return QE_SYS;
	if (io_write_all(fd, text.ptr, text.len) == 0 && io_sync(fd) == 0 &&
	    renameat(dir, tmp_name, dir, name) == 0) {
		io_close(&fd);
		return 0;
	}
	saved = errno;
	unlinkat(dir, tmp_name, 0);
	io_close(&fd);
	errno = saved;
	return QE_SYS;
}
