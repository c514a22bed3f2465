/*
 * The steps of one message into the queue.  Every one leaves a state that
 * qmail-queue(5) knows.
 */
#include "queue/item.h"
#include "base/file.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PID_NAMES_MAX = 9,
	ATOMIC_WRITE = 4096 /* an envelope of one page is never torn */
};

void
item_init(struct item *item, const struct queue_layout *layout)
{
	*item = (struct item){ .layout = layout, .mess_fd = -1, .intd_fd = -1 };
}

static enum queue_exit
create_pid(struct item *item, pid_t pid, int64_t now)
{
	struct stat st;

	for (int n = 1; n <= PID_NAMES_MAX && item->mess_fd < 0; n++) {
		snprintf(item->pid_path, sizeof(item->pid_path),
		    "pid/%jd.%jd.%d", (intmax_t)pid, (intmax_t)now, n);
		item->mess_fd = open(item->pid_path,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (item->mess_fd < 0 && errno != EEXIST)
			return QQ_PID;
	}
	if (item->mess_fd < 0)
		return QQ_PID;
	item->has_pid = true;
	if (fstat(item->mess_fd, &st) < 0)
		return QQ_PID;
	item->id = st.st_ino;
	queue_path(item->layout, QUEUE_MESS, item->id, item->mess);
	queue_path(item->layout, QUEUE_INTD, item->id, item->intd);
	queue_path(item->layout, QUEUE_TODO, item->id, item->todo);
	return QQ_OK;
}

/* The file gets the name that is its inode number. */
static enum queue_exit
name_mess(struct item *item)
{
	if (file_rename_new_at(
		AT_FDCWD, item->pid_path, AT_FDCWD, item->mess) == 0) {
		item->has_pid = false;
		item->has_mess = true;
		return QQ_OK;
	}
	/* Some file systems know no such rename. */
	if ((errno != EINVAL && errno != ENOSYS) ||
	    link(item->pid_path, item->mess) < 0)
		return QQ_MESS;
	item->has_mess = true;
	if (unlink(item->pid_path) < 0)
		return QQ_MESS;
	item->has_pid = false;
	return QQ_OK;
}

enum queue_exit
item_create_mess(struct item *item, pid_t pid, int64_t now)
{
	enum queue_exit code = create_pid(item, pid, now);

	return code == QQ_OK ? name_mess(item) : code;
}

/* The id is ours, so a file that has it already is left from a crash. */
enum queue_exit
item_create_intd(struct item *item)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;

	item->intd_fd = open(item->intd, flags, 0644);
	if (item->intd_fd < 0 && errno == EEXIST && unlink(item->intd) == 0)
		item->intd_fd = open(item->intd, flags, 0644);
	if (item->intd_fd < 0)
		return QQ_INTD;
	item->has_intd = true;
	return QQ_OK;
}

enum queue_exit
item_add_envelope(struct item *item, const char *data, size_t len)
{
	item->envelope_bytes += len;
	return io_write_all(item->intd_fd, data, len) == 0 ? QQ_OK : QQ_WRITE;
}

enum queue_exit
item_link(struct item *item)
{
	/* In todo/ an envelope must be whole, or empty after a crash. */
	if (item->envelope_bytes > ATOMIC_WRITE && io_sync(item->intd_fd) != 0)
		return QQ_WRITE;
	if (link(item->intd, item->todo) < 0)
		return QQ_TODO;
	item->has_todo = true;
	return QQ_OK;
}

enum queue_exit
item_check_mess(const struct item *item)
{
	struct stat st;

	return fstat(item->mess_fd, &st) == 0 && st.st_nlink > 0 ? QQ_OK
								 : QQ_MESS;
}

/*
 * The other way round, so that every step leaves one of the known states.
 *
 * What has been in todo/ a search may have found, and qmail-send may deliver
 * it.  Its records go by the number, so the file that the number comes from
 * stays: or the next message had it, and its mail could go to the recipients
 * of this one, which a caller can bring about.  qmail-send removes the file,
 * as a message that it has delivered or as a leftover.
 */
void
item_undo(const struct item *item)
{
	if (item->has_todo)
		unlink(item->todo);
	if (item->has_intd)
		unlink(item->intd);
	if (item->has_mess && !item->has_todo)
		unlink(item->mess);
	if (item->has_pid)
		unlink(item->pid_path);
}
