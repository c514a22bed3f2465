/*
 * What the queue holds at start-up: info/ is read a few names at a time while
 * new messages are already being delivered.
 *
 * A message in info/ is in state S5 unless todo/ has it, too; those come from
 * qmail-todo.  What comes in while this runs is noted, not to be added twice.
 */
#include "base/error.h"
#include "send/send.h"

#include <errno.h>
#include <sys/stat.h>

enum { LOAD_PER_TURN = 200, LOAD_SLEEP = 10 };

void
loader_start(struct send *s)
{
	dirwalk_begin(&s->loader.walk, &s->layout, QUEUE_INFO);
	s->loader.running = true;
}

void
loader_note(struct send *s, uint64_t id)
{
	if (s->loader.running)
		while (idset_add(&s->loader.seen, id) != 0)
			send_sleep_nomem(s);
}

/* True if this file exists; *when is its mtime. */
static bool
look(struct send *s, enum queue_area area, uint64_t id, int64_t *when)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;

	queue_path(&s->layout, area, id, path);
	if (lstat(path, &st) == 0) {
		*when = st.st_mtime;
		return true;
	}
	if (errno == ENOENT)
		return false;
	/* In doubt it exists; a pass will see. */
	slog_warn_file(
	    &s->log, "unable to stat", path, "; will try again later");
	*when = s->now + RETRY_OWN_FAILURE;
	return true;
}

static void
load(struct send *s, uint64_t id)
{
	int64_t when = 0;
	bool found = false;

	if (idset_has(&s->loader.seen, id) || message_find(s, id) != NULL ||
	    look(s, QUEUE_TODO, id, &when))
		return;
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		if (!look(s, s->lanes[c].area, id, &when))
			continue;
		if (s->loader.expedite && when > s->now)
			when = s->now;
		schedule_retry(s, (enum channel)c, when, id);
		found = true;
	}
	if (!found)
		while (entry_heap_add(&s->later, s->now, id) != 0)
			send_sleep_nomem(s);
}

void
loader_turn(struct send *s)
{
	struct loader *l = &s->loader;

	if (!l->running || s->exiting || s->now < l->not_before)
		return;
	for (int i = 0; i < LOAD_PER_TURN; i++) {
		uint64_t id;
		int r = dirwalk_next(&l->walk, &id);

		if (r == 0)
			load(s, id);
		if (r == QE_SYS) {
			slog_line(&s->log,
			    "alert: unable to opendir %s, sleeping...",
			    l->walk.path);
			l->not_before = s->now + LOAD_SLEEP;
			return;
		}
		if (r == QE_EOF) {
			l->running = false;
			idset_free(&l->seen);
			return;
		}
	}
}
