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
#include <stdlib.h>
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
		mtasts_prune(entry->checked, MTASTS_FILES_MAX);
	return r;
}

/* One file; those of least use come first in order. */
struct kept {
	char *name;       /* owned */
	bool is_policy;   /* what protects goes last */
	int64_t modified; /* when the domain was last asked for */
};

struct list {
	struct kept *files; /* owned */
	size_t count, cap;
};

static int
by_use(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	if (x->is_policy != y->is_policy)
		return x->is_policy ? 1 : -1;
	return (x->modified > y->modified) - (x->modified < y->modified);
}

/* What says only that there is no policy is one short line. */
static bool
says_policy(const struct stat *st)
{
	static const char longest[] = "checked: 9223372036854775807\n";

	return st->st_size >= (off_t)sizeof(longest);
}

static bool
is_old(const char *name, const struct stat *st, int64_t now)
{
	int64_t keep = name[0] == '.'    ? MTASTS_KEEP_ASIDE_SECONDS
		       : says_policy(st) ? MTASTS_KEEP_SECONDS
					 : MTASTS_KEEP_NONE_SECONDS;

	return now - st->st_mtime > keep;
}

/* False without memory: the file is then kept. */
static bool
list_add(struct list *list, const char *name, const struct stat *st)
{
	struct kept *file;

	if (list->count == list->cap) {
		size_t cap = list->cap == 0 ? 256 : list->cap * 2;
		struct kept *files =
		    reallocarray(list->files, cap, sizeof(*files));

		if (files == NULL)
			return false;
		list->files = files;
		list->cap = cap;
	}
	file = &list->files[list->count];
	file->name = strdup(name);
	file->is_policy = says_policy(st);
	file->modified = st->st_mtime;
	list->count += file->name != NULL;
	return file->name != NULL;
}

static void
list_free(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->files[i].name);
	free(list->files);
}

/* Removes what is old, and lists the rest. */
static void
sweep(DIR *dir, int64_t now, struct list *list)
{
	const struct dirent *entry;
	struct stat st;

	while ((entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (is_old(name, &st, now))
			(void)unlinkat(dirfd(dir), name, 0);
		else if (!list_add(list, name, &st))
			return;
	}
}

void
mtasts_prune(int64_t now, size_t files_max)
{
	struct list list = { .files = NULL };
	DIR *dir = opendir(MTASTS_DIRECTORY);

	if (dir == NULL)
		return;
	sweep(dir, now, &list);
	if (list.count > files_max) {
		qsort(list.files, list.count, sizeof(*list.files), by_use);
		for (size_t i = 0; i < list.count - files_max; i++)
			(void)unlinkat(dirfd(dir), list.files[i].name, 0);
	}
	list_free(&list);
	closedir(dir);
}
