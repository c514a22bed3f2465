/*
 * Which messages there are.  The trigger names them; todo/ is searched at the
 * start, now and then, and when the trigger cannot be relied on.  Leftovers in
 * mess/ are looked for once a day.
 */
#include "base/error.h"
#include "send/intake.h"

#include <errno.h>
#include <sys/stat.h>

enum {
	SEARCH_INTERVAL = 1500,   /* seconds */
	CLEANUP_INTERVAL = 76431, /* seconds */
	SEARCH_SLEEP = 10,        /* seconds after trouble */
	SEARCH_PER_TURN = 256,
	CLEANUP_PER_TURN = 32,
	LISTEN_READS = 16, /* per turn */
	LISTEN_IDS = 2048,
	LISTEN_FEW = 128 /* a full read brings more */
};

static void
begin(struct intake *t)
{
	dirwalk_end(&t->todo_walk);
	dirwalk_begin(&t->todo_walk, &t->layout, QUEUE_TODO);
	t->searching = true;
	t->search_again = false;
	/* It may be another one by now; what the old one says is found. */
	trigger_close(&t->trigger);
	if (trigger_open(&t->trigger) != 0)
		intake_note_file(t, "unable to open", "lock/trigger", "");
}

void
search_start(struct intake *t)
{
	t->trigger.fd = t->trigger.keep_fd = -1;
	t->next_cleanup = t->now;
	begin(t);
}

/* What finds no room is found by another search. */
static void
add(struct intake *t, struct id_fifo *fifo, uint64_t id)
{
	if (fifo->count >= INTAKE_PENDING_MAX || id_fifo_add(fifo, id) != 0)
		t->search_again = true;
}

static void
search_some(struct intake *t)
{
	for (int i = 0; i < SEARCH_PER_TURN; i++) {
		uint64_t id;
		int r;

		/* The walk waits until there is room for what it finds. */
		if (t->found.count >= INTAKE_PENDING_MAX)
			return;
		r = dirwalk_next(&t->todo_walk, &id);
		if (r == 0)
			add(t, &t->found, id);
		if (r == QE_SYS) {
			intake_note(t,
			    "alert: unable to opendir %s, "
			    "sleeping...",
			    t->todo_walk.path);
			t->searching = false;
			t->next_search = t->now + SEARCH_SLEEP;
			return;
		}
		if (r == QE_EOF) {
			t->searching = false;
			t->searched = true;
			t->next_search =
			    t->now + (t->trigger.fd < 0 ? SEARCH_SLEEP
							: SEARCH_INTERVAL);
			if (t->now < t->disk_full_until)
				t->next_search = t->disk_full_until;
			return;
		}
	}
}

static bool
is_absent(const struct intake *t, enum queue_area area, uint64_t id)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;

	queue_path(&t->layout, area, id, path);
	return lstat(path, &st) < 0 && errno == ENOENT;
}

/*
 * A power cut may leave the name in todo/ of an envelope that was never
 * flushed, so that its sender has heard of no success.
 */
static bool
is_absent_or_empty(const struct intake *t, enum queue_area area, uint64_t id)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;

	queue_path(&t->layout, area, id, path);
	if (lstat(path, &st) < 0)
		return errno == ENOENT;
	return S_ISREG(st.st_mode) && st.st_size == 0;
}

/* States S2 and S3, and nobody has touched it for long. */
static void
look_at_leftover(struct intake *t, uint64_t id)
{
	struct link_message stray = { .type = LINK_STRAY, .id = id };
	char path[QUEUE_PATH_MAX];
	struct stat st;

	queue_path(&t->layout, QUEUE_MESS, id, path);
	if (lstat(path, &st) < 0) {
		if (errno != ENOENT)
			intake_note_file(t, "unable to stat", path, "");
		return;
	}
	if (st.st_atime + LINK_LEFTOVER_AGE >= t->now)
		return;
	if (is_absent(t, QUEUE_INFO, id) &&
	    is_absent_or_empty(t, QUEUE_TODO, id) && !intake_tell(t, &stray))
		t->next_cleanup = t->now; /* next time */
}

static void
cleanup_some(struct intake *t)
{
	for (int i = 0; i < CLEANUP_PER_TURN; i++) {
		uint64_t id;
		int r;

		if (outpipe_load(&t->out) >= INTAKE_OUT_FULL)
			return;
		r = dirwalk_next(&t->mess_walk, &id);
		if (r == 0)
			look_at_leftover(t, id);
		if (r == QE_SYS)
			intake_note(t,
			    "alert: unable to opendir %s, "
			    "sleeping...",
			    t->mess_walk.path);
		if (r == QE_SYS || r == QE_EOF) {
			t->cleaning = false;
			dirwalk_end(&t->mess_walk);
			return;
		}
	}
}

void
search_turn(struct intake *t)
{
	if (t->stopped)
		return;
	if (!t->searching && (t->search_again || t->now >= t->next_search))
		begin(t);
	if (t->searching)
		search_some(t);
	if (!t->cleaning && t->searched && t->now >= t->next_cleanup) {
		dirwalk_begin(&t->mess_walk, &t->layout, QUEUE_MESS);
		t->cleaning = true;
		t->next_cleanup = t->now + CLEANUP_INTERVAL;
	}
	if (t->cleaning)
		cleanup_some(t);
}

int64_t
search_next(const struct intake *t)
{
	if (t->stopped)
		return SCHEDULE_NEVER;
	if (t->searching && t->found.count < INTAKE_PENDING_MAX)
		return t->now;
	if (t->cleaning && outpipe_load(&t->out) < INTAKE_OUT_FULL)
		return t->now;
	if (t->search_again && !t->searching)
		return t->now;
	return t->next_search < t->next_cleanup ? t->next_search
						: t->next_cleanup;
}

/*
 * Until the first search is over, an id may be that of an old message with
 * records, whoever names it.
 */
void
search_listen(struct intake *t)
{
	uint64_t ids[LISTEN_IDS];
	bool scan = false;

	for (int i = 0; i < LISTEN_READS; i++) {
		unsigned n = trigger_read(&t->trigger, ids, LISTEN_IDS, &scan);

		for (unsigned k = 0; k < n; k++)
			add(t, t->searched ? &t->announced : &t->found, ids[k]);
		if (n < LISTEN_FEW)
			break; /* or poll will tell */
	}
	if (scan)
		t->search_again = true;
}
