/*
 * Goes through one area of a queue that is in use: files and directories may
 * come and go at any time.  Only names that are message ids count.
 */
#include "admin/walk.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { WALK_DEPTH = 2 }; /* the area and its split directories */

/* A message id, or the number of a split directory: 0 is only the latter. */
static bool
name_parse(const char *name, uint64_t *number)
{
	*number = 0;
	return strcmp(name, "0") == 0 ||
	       queue_id_parse(strv_of(name), number) == 0;
}

/* DT_REG, DT_DIR or another type, also where readdir(3) does not tell. */
static int
entry_type(DIR *dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return S_ISREG(st.st_mode)   ? DT_REG
	       : S_ISDIR(st.st_mode) ? DT_DIR
				     : DT_UNKNOWN;
}

static int walk_dir(const char *path, int depth, walk_file *each, void *context,
    char failed[QUEUE_PATH_MAX]);

static int
walk_entry(const char *path, int type, uint64_t id, int depth, walk_file *each,
    void *context, char failed[QUEUE_PATH_MAX])
{
	int r;

	if (type == DT_REG)
		return id == 0 ? 0 : each(context, path, id);
	if (type != DT_DIR || depth + 1 >= WALK_DEPTH)
		return 0;
	r = walk_dir(path, depth + 1, each, context, failed);
	return r == QE_SYS && errno == ENOENT ? 0 : r;
}

static int
walk_dir(const char *path, int depth, walk_file *each, void *context,
    char failed[QUEUE_PATH_MAX])
{
	char below[QUEUE_PATH_MAX];
	const struct dirent *entry;
	DIR *dir = opendir(path);
	uint64_t id;
	int r = 0, saved;

	if (dir == NULL) {
		snprintf(failed, QUEUE_PATH_MAX, "%s", path);
		return QE_SYS;
	}
	while (r == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
		if (!name_parse(entry->d_name, &id))
			continue;
		snprintf(below, sizeof(below), "%s/%.20s", path, entry->d_name);
		r = walk_entry(below, entry_type(dir, entry), id, depth, each,
		    context, failed);
	}
	if (r == 0 && errno != 0) {
		snprintf(failed, QUEUE_PATH_MAX, "%s", path);
		r = QE_SYS;
	}
	saved = errno;
	closedir(dir);
	errno = saved;
	return r;
}

int
walk_area(const char *area, walk_file *each, void *context,
    char failed[QUEUE_PATH_MAX])
{
	return walk_dir(area, 0, each, context, failed);
}
