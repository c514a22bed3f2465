/*
 * Where things are in the queue: its shape on disk, paths and message ids.
 * Nothing here opens or changes a message file.
 */
#include "spool/queue.h"
#include "base/error.h"

#include <config.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SPLIT_MAX = 100000 }; /* more than any file system likes */

static const char *const area_names[QUEUE_AREA_COUNT] = {
	[QUEUE_MESS] = "mess",
	[QUEUE_INTD] = "intd",
	[QUEUE_TODO] = "todo",
	[QUEUE_INFO] = "info",
	[QUEUE_LOCAL] = "local",
	[QUEUE_REMOTE] = "remote",
	[QUEUE_BOUNCE] = "bounce",
};

const char *
queue_area_name(enum queue_area area)
{
	return area_names[area];
}

/* 1: path is a directory, 0: it is absent or something else, QE_SYS. */
static int
is_directory(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 1 : 0;
	return errno == ENOENT || errno == ENOTDIR ? 0 : QE_SYS;
}

/* 1 if mess/ ends exactly at split directories, else 0, or QE_SYS. */
static int
split_is(unsigned split)
{
	char path[QUEUE_PATH_MAX];
	int r;

	if (split < 1 || split > SPLIT_MAX)
		return 0;
	snprintf(path, sizeof(path), "mess/%u", split - 1);
	r = is_directory(path);
	if (r != 1)
		return r;
	snprintf(path, sizeof(path), "mess/%u", split);
	r = is_directory(path);
	return r < 0 ? r : !r;
}

/* Adds one entry of mess/ to the count of numbered directories. */
static int
split_count_entry(const char *name, unsigned *count, unsigned *most)
{
	char path[QUEUE_PATH_MAX];
	uint64_t number;
	int r;

	if (strcmp(name, "0") == 0)
		number = 0;
	else if (queue_id_parse(strv_of(name), &number) != 0 ||
		 number >= SPLIT_MAX)
		return 0;
	snprintf(path, sizeof(path), "mess/%u", (unsigned)number);
	r = is_directory(path);
	if (r != 1)
		return r;
	++*count;
	if (number > *most)
		*most = (unsigned)number;
	return 0;
}

/*
 * The slow way: mess/ is read.  A gap among the numbers means that ids would
 * be looked for in the wrong place; such a queue is not used.
 */
static int
split_scan(unsigned *split)
{
	DIR *dir = opendir("mess");
	unsigned count = 0, most = 0;
	const struct dirent *entry;
	int r = 0;

	if (dir == NULL)
		return errno == ENOENT ? QE_ABSENT : QE_SYS;
	for (errno = 0; r == 0 && (entry = readdir(dir)) != NULL; errno = 0)
		r = split_count_entry(entry->d_name, &count, &most);
	if (r == 0 && errno != 0)
		r = QE_SYS;
	closedir(dir);
	if (r != 0)
		return r;
	if (count == 0)
		return QE_ABSENT;
	if (count != most + 1)
		return QE_CORRUPT;
	*split = count;
	return 0;
}

/*
 * Asked once per message, so the cheap guesses come first: the number given
 * to make, then what the link count of mess/ tells on most file systems.
 */
static int
split_find(unsigned *split)
{
	struct stat st;
	int r = split_is(CONFIG_SPLIT);

	if (r < 0)
		return r;
	if (r == 1) {
		*split = CONFIG_SPLIT;
		return 0;
	}
	if (stat("mess", &st) < 0)
		return errno == ENOENT ? QE_ABSENT : QE_SYS;
	if (st.st_nlink > 2 && st.st_nlink - 2 <= SPLIT_MAX) {
		unsigned guess = (unsigned)(st.st_nlink - 2);

		r = split_is(guess);
		if (r < 0)
			return r;
		if (r == 1) {
			*split = guess;
			return 0;
		}
	}
	return split_scan(split);
}

int
queue_layout_read(struct queue_layout *out)
{
	unsigned split = 0;
	int r = split_find(&split);
	int todo_split;

	if (r != 0)
		return r;
	todo_split = is_directory("todo/0");
	if (todo_split < 0)
		return todo_split;
	out->split = split;
	out->todo_split = todo_split == 1;
	return 0;
}

static bool
area_is_split(const struct queue_layout *layout, enum queue_area area)
{
	switch (area) {
	case QUEUE_MESS:
	case QUEUE_INFO:
	case QUEUE_LOCAL:
	case QUEUE_REMOTE:
		return true;
	case QUEUE_INTD:
	case QUEUE_TODO:
		return layout->todo_split;
	case QUEUE_BOUNCE:
	case QUEUE_AREA_COUNT:
		break;
	}
	return false;
}

/* At most 6 + 1 + 20 + 1 + 20 bytes and the NUL: always fits. */
void
queue_path(const struct queue_layout *layout, enum queue_area area, uint64_t id,
    char out[QUEUE_PATH_MAX])
{
	if (area_is_split(layout, area))
		snprintf(out, QUEUE_PATH_MAX, "%s/%ju/%ju", area_names[area],
		    (uintmax_t)(id % layout->split), (uintmax_t)id);
	else
		snprintf(out, QUEUE_PATH_MAX, "%s/%ju", area_names[area],
		    (uintmax_t)id);
}

void
queue_dir_path(const struct queue_layout *layout, enum queue_area area,
    uint64_t id, char out[QUEUE_PATH_MAX])
{
	if (area_is_split(layout, area))
		snprintf(out, QUEUE_PATH_MAX, "%s/%ju", area_names[area],
		    (uintmax_t)(id % layout->split));
	else
		snprintf(out, QUEUE_PATH_MAX, "%s", area_names[area]);
}

int
queue_id_parse(struct strv name, uint64_t *id)
{
	/* No inode is 0, and "007" is not how an id is written. */
	if (name.len == 0 || name.ptr[0] == '0')
		return QE_SYNTAX;
	return strv_to_u64(name, UINT64_MAX, id) == 0 ? 0 : QE_SYNTAX;
}
