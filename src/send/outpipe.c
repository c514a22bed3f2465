/* A pipe that is written without ever waiting; see the header. */
#include "send/outpipe.h"
#include "base/error.h"

#include <errno.h>
#include <unistd.h>

void
outpipe_init(struct outpipe *p, int fd, size_t max)
{
	*p = (struct outpipe){ .fd = fd, .data = BUF_LIMIT(max) };
}

size_t
outpipe_load(const struct outpipe *p)
{
	return p->data.len - p->sent;
}

bool
outpipe_keep(struct outpipe *p, size_t mark)
{
	if (p->data.err == 0)
		return true;
	p->data.err = 0;
	buf_truncate(&p->data, mark);
	return false;
}

int
outpipe_flush(struct outpipe *p)
{
	while (outpipe_load(p) > 0) {
		ssize_t did =
		    write(p->fd, p->data.data + p->sent, outpipe_load(p));

		if (did < 0 && errno == EINTR)
			continue;
		/* Full, or there is no page for more at the moment. */
		if (did < 0 && (errno == EAGAIN || errno == ENOMEM))
			break;
		if (did < 0)
			return QE_EOF;
		p->sent += (size_t)did;
	}
	/* Moving is cheap only when little is left to move. */
	if (p->sent > 0 && outpipe_load(p) <= p->sent) {
		buf_consume(&p->data, p->sent);
		p->sent = 0;
	}
	return 0;
}
