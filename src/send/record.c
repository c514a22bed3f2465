/* Writes info, local and remote; see the header. */
#include "send/record.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	RECORD_PENDING = 1 << 15,  /* bytes of a list until they are written */
	RECORD_LINE_MAX = 1 << 15, /* bytes of one recipient */
	RECORD_INFO = CHANNEL_COUNT
};

static const enum queue_area areas[RECORD_FILES] = {
	[CHANNEL_LOCAL] = QUEUE_LOCAL,
	[CHANNEL_REMOTE] = QUEUE_REMOTE,
	[RECORD_INFO] = QUEUE_INFO,
};

static void
fail(struct record *r, const char *problem, int file)
{
	if (r->problem != NULL)
		return;
	r->problem = problem;
	queue_path(r->layout, areas[file], r->id, r->path);
}

/* The file's name, or, while an older one is replaced, one beside it. */
static void
write_path(const struct record *r, int file, char out[QUEUE_PATH_MAX])
{
	size_t len;

	queue_path(r->layout, areas[file], r->id, out);
	len = strlen(out);
	if (r->replace)
		snprintf(out + len, QUEUE_PATH_MAX - len, ".new");
}

void
record_begin(struct record *r, const struct queue_layout *layout, uint64_t id,
    bool replace)
{
	r->layout = layout;
	r->id = id;
	r->replace = replace;
	r->problem = NULL;
	for (int i = 0; i < RECORD_FILES; i++)
		r->fds[i] = -1;
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		r->pending[c].max = RECORD_PENDING + RECORD_LINE_MAX;
		buf_reset(&r->pending[c]);
	}
}

static void
create(struct record *r, int file)
{
	char path[QUEUE_PATH_MAX];

	write_path(r, file, path);
	r->fds[file] =
	    open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (r->fds[file] < 0)
		fail(r, "unable to create", file);
}

static void
write_bytes(struct record *r, int file, struct strv bytes)
{
	if (r->fds[file] < 0)
		create(r, file);
	if (r->problem == NULL &&
	    io_write_all(r->fds[file], bytes.ptr, bytes.len) != 0)
		fail(r, "trouble writing to", file);
}

void
record_add_recipient(
    struct record *r, enum channel c, char letter, struct strv address)
{
	struct buf *pending = &r->pending[c];

	record_add(pending, letter, address);
	if (pending->err != 0)
		fail(r, "trouble writing to", (int)c);
	if (r->problem != NULL || pending->len < RECORD_PENDING)
		return;
	write_bytes(r, (int)c, buf_view(pending));
	buf_reset(pending);
}

void
record_end(struct record *r, struct strv sender, int64_t birth)
{
	const struct timespec born = { .tv_sec = birth };
	const struct timespec times[2] = { born, born };
	struct buf info = BUF_INIT;

	for (int c = 0; c < CHANNEL_COUNT; c++) {
		if (r->pending[c].len > 0 && r->problem == NULL)
			write_bytes(r, c, buf_view(&r->pending[c]));
		buf_reset(&r->pending[c]);
	}
	record_add(&info, 'F', sender);
	if (info.err != 0)
		fail(r, "trouble writing to", RECORD_INFO);
	if (r->problem == NULL)
		write_bytes(r, RECORD_INFO, buf_view(&info));
	if (r->problem == NULL && futimens(r->fds[RECORD_INFO], times) < 0)
		fail(r, "trouble writing to", RECORD_INFO);
	buf_free(&info);
}

unsigned
record_channels(const struct record *r)
{
	unsigned channels = 0;

	for (int c = 0; c < CHANNEL_COUNT; c++)
		if (r->fds[c] >= 0)
			channels |= 1U << c;
	return channels;
}

void
record_hurry(const struct record *r)
{
	for (int i = 0; i < RECORD_FILES; i++)
		if (r->fds[i] >= 0 &&
		    sync_file_range(r->fds[i], 0, 0, SYNC_FILE_RANGE_WRITE) < 0)
			return; /* then it begins when it is waited for */
}

/*
 * On ext4, XFS and btrfs fsync of a new file also makes its name durable; a
 * name that it gets later, by rename, needs the directory flushed.
 */
static void
flush(struct record *r, int file)
{
	char written[QUEUE_PATH_MAX], path[QUEUE_PATH_MAX];

	if (io_sync(r->fds[file]) != 0)
		fail(r, "trouble fsyncing", file);
	if (r->problem != NULL || !r->replace)
		return;
	write_path(r, file, written);
	queue_path(r->layout, areas[file], r->id, path);
	if (rename(written, path) < 0)
		fail(r, "unable to create", file);
	queue_dir_path(r->layout, areas[file], r->id, path);
	if (r->problem == NULL && io_sync_dir(path) != 0)
		fail(r, "trouble fsyncing", file);
}

static void
remove_written(const struct record *r)
{
	for (int i = 0; i < RECORD_FILES; i++) {
		char path[QUEUE_PATH_MAX];

		write_path(r, i, path);
		if (r->fds[i] >= 0)
			unlink(path);
	}
}

/* A list of an earlier life that the message has no more. */
static void
remove_old(struct record *r)
{
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		char path[QUEUE_PATH_MAX];

		queue_path(r->layout, areas[c], r->id, path);
		if (r->fds[c] < 0 && unlink(path) < 0 && errno != ENOENT)
			fail(r, "unable to unlink", c);
	}
}

int
record_commit(struct record *r)
{
	/* info comes last: where it is, the lists are, too. */
	for (int i = 0; i < RECORD_FILES; i++)
		if (r->problem == NULL && r->fds[i] >= 0)
			flush(r, i);
	if (r->problem == NULL)
		remove_old(r);
	if (r->problem != NULL)
		remove_written(r);
	for (int i = 0; i < RECORD_FILES; i++)
		io_close(&r->fds[i]);
	return r->problem == NULL ? 0 : QE_SYS;
}
