/*
 * The end of a message in state S5, when no recipients are left: the bounce
 * is sent, info goes, then mess.
 */
#include "base/error.h"
#include "base/io.h"
#include "send/send.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char done_mark = 'D'; /* no paragraph begins so */

void
message_give_up(struct send *s, struct message *m)
{
	settle_later(s, s->now + RETRY_OWN_FAILURE, m->id);
	message_drop(s, m);
}

int
message_remove_file(struct send *s, struct message *m, enum queue_area area)
{
	char path[QUEUE_PATH_MAX];

	message_path(s, m, area, path);
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	slog_warn_file(
	    &s->log, "unable to unlink", path, "; will try again later");
	return QE_SYS;
}

int
message_has_file(struct send *s, struct message *m, enum queue_area area)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;

	message_path(s, m, area, path);
	if (lstat(path, &st) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	slog_warn_file(
	    &s->log, "unable to stat", path, "; will try again later");
	return QE_SYS;
}

void
message_end(struct send *s, struct message *m)
{
	slog_line(&s->log, "end msg %ju", (uintmax_t)m->id);
	if (m->has_records && message_remove_file(s, m, QUEUE_INFO) != 0) {
		message_give_up(s, m);
		return;
	}
	cleaner_ask(s, CLEAN_MESSAGE, m->id);
	message_drop(s, m);
}

/* As a recipient that is done: what is there all the same is not sent again. */
static void
mark_bounce(struct send *s, struct message *m)
{
	char path[QUEUE_PATH_MAX];
	int fd;

	message_path(s, m, QUEUE_BOUNCE, path);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || pwrite(fd, &done_mark, 1, 0) != 1)
		slog_warn_file(&s->log, "trouble marking", path,
		    "; message will be delivered twice!");
	io_close(&fd);
}

static bool
is_marked(struct send *s, struct message *m)
{
	char path[QUEUE_PATH_MAX], first = '\0';
	int fd;

	message_path(s, m, QUEUE_BOUNCE, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && io_read(fd, &first, 1) < 0)
		first = '\0';
	io_close(&fd);
	return first == done_mark;
}

static void
end_bounce(struct send *s, struct message *m)
{
	if (message_remove_file(s, m, QUEUE_BOUNCE) == 0) {
		message_end(s, m);
		return;
	}
	mark_bounce(s, m);
	message_give_up(s, m);
}

/* No recipients are left. */
void
message_finish(struct send *s, struct message *m)
{
	int has_bounce = message_has_file(s, m, QUEUE_BOUNCE);

	if (has_bounce < 0) {
		message_give_up(s, m);
	} else if (has_bounce == 0) {
		message_end(s, m);
	} else if (strv_eq(message_sender(m), STRV("#@[]"))) {
		slog_line(&s->log, "triple bounce: discarding bounce/%ju",
		    (uintmax_t)m->id);
		end_bounce(s, m);
	} else if (is_marked(s, m)) {
		end_bounce(s, m);
	} else {
		m->step = STEP_INJECTING;
		inject_begin(s, m);
	}
}

void
message_bounced(struct send *s, uint64_t id, bool done, uint64_t qp)
{
	struct message *m = message_find(s, id);

	if (m == NULL || m->step != STEP_INJECTING)
		return;
	m->step = STEP_REST;
	if (!done) {
		message_give_up(s, m);
		return;
	}
	slog_line(
	    &s->log, "bounce msg %ju qp %ju", (uintmax_t)id, (uintmax_t)qp);
	end_bounce(s, m);
}
