/*
 * The message for plugins of [content]: it goes into a file that has no name
 * any more when its first byte is written, and from there to the plugins'
 * standard input and, if they let it pass, to qmail-queue.
 */
#include "base/error.h"
#include "base/io.h"
#include "smtpd/log.h"
#include "smtpd/plugins_state.h"
#include "smtpd/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define CONTENT_DIR "cache/content"

enum { CONTENT_PATH_MAX = 64, CONTENT_COPY = 16384 };

static void
close_all(struct plugins *p)
{
	io_close(&p->content_fd);
	while (p->input_count > 0)
		io_close(&p->inputs[--p->input_count]);
}

static int
make_file(char path[CONTENT_PATH_MAX])
{
	const int how =
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
	int fd;

	snprintf(path, CONTENT_PATH_MAX, CONTENT_DIR "/%ld", (long)getpid());
	fd = open(path, how, 0400);
	if (fd >= 0 || errno != EEXIST)
		return fd;
	/* Left by a process that was killed, and had our id. */
	if (unlink(path) < 0)
		return -1;
	return open(path, how, 0400);
}

/* Each plugin reads through a descriptor of its own, and cannot write. */
static int
open_file(struct plugins *p)
{
	char path[CONTENT_PATH_MAX];
	size_t count = p->config.of_stage[PLUGIN_CONTENT];
	int r = 0;

	p->content_fd = make_file(path);
	if (p->content_fd < 0)
		return QE_SYS;
	while (r == 0 && p->input_count < count) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

		if (fd < 0)
			r = QE_SYS;
		else
			p->inputs[p->input_count++] = fd;
	}
	if (unlink(path) < 0)
		r = QE_SYS;
	return r;
}

static void
fail(struct session *s)
{
	s->plugins->content_failed = true;
	log_event(s, "plugins: unable to write a file in " CONTENT_DIR ": %s",
	    error_text(errno));
}

static void
feed(struct session *s, struct strv bytes, int64_t deadline_ms)
{
	(void)deadline_ms;
	if (!s->plugins->content_failed &&
	    io_write_all(s->plugins->content_fd, bytes.ptr, bytes.len) != 0)
		fail(s);
}

static bool
begin(struct session *s, struct strv fields)
{
	struct plugins *p = s->plugins;

	if (p == NULL || p->off || p->config.of_stage[PLUGIN_CONTENT] == 0 ||
	    trust_is_spammer(s))
		return false;
	p->content_failed = false;
	if (open_file(p) != 0)
		fail(s);
	else
		feed(s, fields, 0);
	return true;
}

static void
finish(struct session *s)
{
	close_all(s->plugins);
}

const struct tap plugins_tap = {
	.begin = begin,
	.feed = feed,
	.close = finish,
};

bool
plugins_hold_message(const struct session *s)
{
	return s->plugins != NULL && s->plugins->content_fd >= 0;
}

int
plugins_send_message(struct session *s, struct submit *submit)
{
	char piece[CONTENT_COPY];
	int fd = s->plugins->content_fd;
	ssize_t got;

	if (s->plugins->content_fields.err != 0)
		return s->plugins->content_fields.err;
	submit_message(submit, buf_view(&s->plugins->content_fields));
	if (lseek(fd, 0, SEEK_SET) < 0)
		return QE_SYS;
	while ((got = io_read(fd, piece, sizeof(piece))) > 0)
		submit_message(submit, strv_from(piece, (size_t)got));
	return got < 0 ? QE_SYS : 0;
}
