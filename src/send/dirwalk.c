/* Walks over the ids in a queue directory; see the header. */
#include "send/dirwalk.h"
#include "base/error.h"

#include <errno.h>
#include <stdio.h>

void
dirwalk_begin(
    struct dirwalk *w, const struct queue_layout *layout, enum queue_area area)
{
	bool is_split =
	    area != QUEUE_BOUNCE &&
	    (layout->todo_split || (area != QUEUE_TODO && area != QUEUE_INTD));

	*w = (struct dirwalk){ .area = area,
		.dirs = is_split ? layout->split : 0 };
}

static int
open_next(struct dirwalk *w)
{
	const char *name = queue_area_name(w->area);

	if (w->next >= (w->dirs == 0 ? 1 : w->dirs))
		return QE_EOF;
	if (w->dirs == 0)
		snprintf(w->path, sizeof(w->path), "%s", name);
	else
		snprintf(w->path, sizeof(w->path), "%s/%u", name, w->next);
	w->dir = opendir(w->path);
	if (w->dir == NULL)
		return QE_SYS;
	w->next++;
	return 0;
}

int
dirwalk_next(struct dirwalk *w, uint64_t *id)
{
	const struct dirent *entry;
	int r;

	if (w->dir == NULL) {
		r = open_next(w);
		if (r != 0)
			return r;
	}
	errno = 0;
	entry = readdir(w->dir);
	if (entry == NULL) {
		r = errno == 0 ? QE_ABSENT : QE_SYS;
		/* After a read error the directory is read once more. */
		if (r == QE_SYS)
			w->next--;
		closedir(w->dir);
		w->dir = NULL;
		return r;
	}
	return queue_id_parse(strv_of(entry->d_name), id) == 0 ? 0 : QE_ABSENT;
}

void
dirwalk_end(struct dirwalk *w)
{
	if (w->dir != NULL)
		closedir(w->dir);
	w->dir = NULL;
}
