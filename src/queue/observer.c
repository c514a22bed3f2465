/* The observers' copy of a watched message; see the header. */
#include "queue/observer.h"
#include "base/io.h"

#include <errno.h>
#include <unistd.h>

enum { OBSERVER_ENVELOPE_MAX = 16 << 20 };

static enum queue_exit
copy_file(int from, int to, char *buffer, size_t size)
{
	off_t offset = 0;

	for (;;) {
		ssize_t got = pread(from, buffer, size, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return QQ_READ;
		if (got == 0)
			return QQ_OK;
		if (io_write_all(to, buffer, (size_t)got) != 0)
			return QQ_WRITE;
		offset += got;
	}
}

static enum queue_exit
write_envelope(
    struct item *copy, const struct bigbrother *watch, struct strv origin)
{
	struct buf envelope = BUF_LIMIT(OBSERVER_ENVELOPE_MAX);
	enum queue_exit code = QQ_NOMEM;

	buf_add_view(&envelope, origin);
	record_add(&envelope, 'F', STRV_EMPTY);
	bigbrother_add(watch, &envelope);
	if (envelope.err == 0)
		code = item_add_envelope(copy, envelope.data, envelope.len);
	buf_free(&envelope);
	return code;
}

enum queue_exit
observer_prepare(struct item *copy, const struct item *original,
    const struct bigbrother *watch, struct strv origin, pid_t pid, int64_t now,
    char *buffer, size_t size)
{
	enum queue_exit code = item_create_mess(copy, pid, now);

	if (code == QQ_OK)
		code =
		    copy_file(original->mess_fd, copy->mess_fd, buffer, size);
	if (code == QQ_OK && io_sync(copy->mess_fd) != 0)
		code = QQ_WRITE;
	if (code == QQ_OK)
		code = item_create_intd(copy);
	if (code == QQ_OK)
		code = write_envelope(copy, watch, origin);
	return code;
}
