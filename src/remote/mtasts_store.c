/*
 * Files are written aside and renamed, so that a reader sees an old one or a
 * new one.  They are only a cache: nothing is flushed.
 */
#include "remote/mtasts_store.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "remote/mtasts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ASIDE_MAX = 64, PRUNE_EVERY = 64 /* about every so many writes */ };

static void
add_entry(const struct mtasts_entry *entry, struct buf *out)
{
	buf_addf(out, "checked: %lld\n", (long long)entry->checked);
	if (entry->fetched == 0)
		return;
	buf_addf(out, "fetched: %lld\nid: " STRV_FMT "\n\n",
	    (long long)entry->fetched, STRV_ARG(entry->id));
	buf_add_view(out, entry->text);
}

static int
write_aside(int dir, const char *aside, struct strv bytes)
{
	int fd =
	    openat(dir, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return QE_SYS;
	r = io_write_all(fd, bytes.ptr, bytes.len);
	io_close(&fd);
	return r;
}

static int
open_directory(void)
{
	if (mkdir(MTASTS_DIRECTORY, 0755) < 0 && errno != EEXIST)
		return -1;
	return open(MTASTS_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
mtasts_store(const char *domain, const struct mtasts_entry *entry)
{
	struct buf bytes = BUF_LIMIT(STS_FILE_BYTES_MAX);
	char aside[ASIDE_MAX];
	int dir = open_directory();
	int r;

	if (dir < 0)
		return QE_SYS;
	/* No domain begins with a dot. */
	snprintf(aside, sizeof(aside), ".new.%ld", (long)getpid());
	add_entry(entry, &bytes);
	r = bytes.err != 0 ? bytes.err
			   : write_aside(dir, aside, buf_view(&bytes));
	if (r == 0 && renameat(dir, aside, dir, domain) < 0)
		r = QE_SYS;
	if (r < 0)
		(void)unlinkat(dir, aside, 0);
	io_close(&dir);
	buf_free(&bytes);
	if (r == 0 && getpid() % PRUNE_EVERY == 0)
		mtasts_prune(entry->checked);
	return r;
}

/* What says only that there is no policy is one short line. */
static bool
is_old(const struct stat *st, int64_t now)
{
	static const char longest[] = "checked: 9223372036854775807\n";
	int64_t keep = st->st_size < (off_t)sizeof(longest)
			   ? MTASTS_KEEP_NONE_SECONDS
			   : MTASTS_KEEP_SECONDS;

	return now - st->st_mtime > keep;
}

void
mtasts_prune(int64_t now)
{
	DIR *dir = opendir(MTASTS_DIRECTORY);
	const struct dirent *entry;
	size_t kept = 0;
	struct stat st;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (fstatat(dirfd(dir), entry->d_name, &st,
			AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (!is_old(&st, now) && kept < MTASTS_FILES_MAX)
			kept++;
		else
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
}
