/*
 * The end of a program that takes too long.
 *
 * What is not our own qmail-queue may have started others, and may ignore a
 * SIGTERM: whatever is left of it after a while is killed, so that it cannot
 * queue a message that the client has been told to send again.  Only what
 * waits for the disk is left alone: that may be a qmail-queue at its commit,
 * which has had its SIGTERM and takes back what it has queued.
 */
#include "base/clock.h"
#include "base/file.h"
#include "spool/submit_child.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>

enum {
	STOP_LOOK_MS = 20,    /* between looks at the rest of a group */
	STOP_STAT_MAX = 1024, /* bytes of /proc/PID/stat */
	STOP_DISK = 'D'       /* the state of what waits for the disk */
};

struct process {
	uint64_t pid, parent, group;
	char state;
};

/* "PID (name) state parent group ...", where the name may hold anything. */
static bool
read_process(const char *pid, struct process *out)
{
	struct buf text = BUF_LIMIT(STOP_STAT_MAX);
	char path[64];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	if (strv_to_u64(strv_of(pid), INT32_MAX, &out->pid) == 0 &&
	    file_read(path, &text) == 0) {
		size_t end = strv_rfind(buf_view(&text), ')');
		struct strv rest = strv_skip(buf_view(&text), end + 2);

		out->state = rest.len > 0 ? rest.ptr[0] : STOP_DISK;
		(void)strv_cut(&rest, ' ', NULL);
		found = end != STRV_NPOS &&
			strv_to_u64(strv_cut(&rest, ' ', NULL), INT32_MAX,
			    &out->parent) == 0 &&
			strv_to_u64(strv_cut(&rest, ' ', NULL), INT32_MAX,
			    &out->group) == 0;
	}
	buf_free(&text);
	return found;
}

void
submit_stop_term(const struct submit *s)
{
	/* The leader itself, too: its group may not be made yet. */
	if (s->has_group)
		kill(-s->pid, SIGTERM);
	kill(s->pid, SIGTERM);
}

/* As long as there is a group, its number is nobody else's process id. */
bool
submit_stop_await_group(const struct submit *s, int64_t deadline_ms)
{
	while (s->has_group && kill(-s->pid, 0) == 0) {
		if (clock_mono_ms() >= deadline_ms)
			return false;
		clock_sleep_ms(STOP_LOOK_MS);
	}
	return true;
}

static bool
belongs(const struct submit *s, const struct process *p)
{
	uint64_t leader = (uint64_t)s->pid;

	return p->pid == leader || (s->has_group && p->group == leader);
}

/*
 * Whoever has a child is no qmail-queue: in the state of one that waits for
 * the disk it starts a program, and waits for that to begin (vfork(2)).
 */
static void
kill_parent(const struct submit *s, const struct process *p)
{
	struct process parent;
	char pid[32];

	snprintf(pid, sizeof(pid), "%llu", (unsigned long long)p->parent);
	if (read_process(pid, &parent) && belongs(s, &parent))
		kill((pid_t)parent.pid, SIGKILL);
}

void
submit_stop_kill(const struct submit *s)
{
	struct dirent *entry;
	struct process p;
	DIR *proc;

	if (!s->is_foreign || (proc = opendir("/proc")) == NULL)
		return;
	while ((entry = readdir(proc)) != NULL) {
		if (!read_process(entry->d_name, &p) || !belongs(s, &p))
			continue;
		kill_parent(s, &p);
		if (p.state != STOP_DISK)
			kill((pid_t)p.pid, SIGKILL);
	}
	closedir(proc);
}
