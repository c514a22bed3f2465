/* The messages of a Maildir, oldest first. */
#include "local/messages.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FIRST_CAP = 64 };

static int
grow(struct messages *m)
{
	size_t cap = m->cap == 0 ? FIRST_CAP : 2 * m->cap;
	struct message *items;

	if (m->count < m->cap)
		return 0;
	items = reallocarray(m->items, cap, sizeof(*items));
	if (items == NULL)
		return QE_NOMEM;
	m->items = items;
	m->cap = cap;
	return 0;
}

/* What a reader has just moved or removed is no longer ours to tell of. */
static int
add(struct messages *m, int dir_fd, const char *part, const char *name)
{
	struct message one;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : QE_SYS;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (grow(m) != 0 || asprintf(&one.path, "%s/%s", part, name) < 0)
		return QE_NOMEM;
	one.mtime = st.st_mtim;
	m->items[m->count++] = one;
	return 0;
}

int
messages_scan(struct messages *m, const char *part)
{
	const struct dirent *entry;
	DIR *dir = opendir(part);
	int r = 0;

	if (dir == NULL)
		return QE_SYS;
	while (r == 0 && (errno = 0, entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			r = add(m, dirfd(dir), part, entry->d_name);
	if (r == 0 && errno != 0)
		r = QE_SYS;
	closedir(dir);
	return r;
}

static int
compare(const void *left, const void *right)
{
	const struct message *a = left, *b = right;

	if (a->mtime.tv_sec != b->mtime.tv_sec)
		return a->mtime.tv_sec < b->mtime.tv_sec ? -1 : 1;
	if (a->mtime.tv_nsec != b->mtime.tv_nsec)
		return a->mtime.tv_nsec < b->mtime.tv_nsec ? -1 : 1;
	return strcmp(a->path, b->path);
}

void
messages_sort(struct messages *m)
{
	if (m->count > 0)
		qsort(m->items, m->count, sizeof(*m->items), compare);
}

void
messages_free(struct messages *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->items[i].path);
	free(m->items);
	*m = (struct messages){ .count = 0 };
}
