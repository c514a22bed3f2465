/* Streams a message into qmail-queue with another envelope. */
#include "local/forwarding.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>

enum { FORWARDING_BLOCK = 32768 };

static int
copy_message(struct submit *s, int fd)
{
	char block[FORWARDING_BLOCK];
	ssize_t got;

	while ((got = io_read(fd, block, sizeof(block))) > 0)
		submit_message(s, strv_from(block, (size_t)got));
	return got == 0 ? 0 : QE_SYS;
}

int
forwarding_send(
    const struct forwarding *f, int message_fd, struct forwarding_outcome *out)
{
	struct strv rest = f->recipients;
	struct submit s;

	if (submit_open(&s) != 0)
		return QE_SYS;
	submit_message(&s, f->delivered);
	if (copy_message(&s, message_fd) != 0) {
		int saved = errno;

		submit_abort(&s);
		errno = saved;
		return QE_EOF;
	}
	submit_sender(&s, f->sender);
	while (rest.len > 0)
		submit_recipient(&s, strv_cut(&rest, '\0', NULL));
	out->pid = s.pid;
	submit_close(&s, IO_FOREVER, &out->result);
	return 0;
}
