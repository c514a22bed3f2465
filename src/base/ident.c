/*
 * A client of RFC 1413.  The answer is worth what the other host is; control
 * characters never get through.
 */
#include "base/ident.h"
#include "base/error.h"
#include "base/io.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { IDENT_QUESTION_MAX = 32 };

int
ident_parse(struct strv line, struct buf *out)
{
	struct strv kind, user;
	bool found;

	strv_cut(&line, ':', &found); /* the ports */
	kind = strv_trim_blanks(strv_cut(&line, ':', &found));
	if (!strv_eq_nocase(kind, STRV("USERID")))
		return QE_ABSENT;
	strv_cut(&line, ':', &found); /* the system */
	user = strv_trim_blanks(line);
	if (!found || user.len == 0 || user.len > IDENT_USER_MAX)
		return QE_ABSENT;
	for (size_t i = 0; i < user.len; i++) {
		unsigned char c = (unsigned char)user.ptr[i];

		if (c < ' ' || c == 127)
			return QE_ABSENT;
	}
	buf_add_view(out, user);
	return out->err == 0 ? 0 : QE_NOMEM;
}

/* Reads up to the first line end; without one there is no answer. */
static int
read_line(int fd, int64_t deadline_ms, char *line, size_t size, size_t *len)
{
	*len = 0;
	while (*len < size) {
		const char *end;
		ssize_t got;

		if (io_wait(fd, POLLIN, deadline_ms) != 0)
			return QE_ABSENT;
		got = io_read(fd, line + *len, size - *len);
		if (got <= 0)
			return QE_ABSENT;
		*len += (size_t)got;
		end = memchr(line, '\n', *len);
		if (end == NULL)
			continue;
		*len = (size_t)(end - line);
		if (*len > 0 && line[*len - 1] == '\r')
			--*len;
		return 0;
	}
	return QE_ABSENT;
}

int
ident_ask(const struct ident_question *q, int64_t deadline_ms, struct buf *out)
{
	char text[IDENT_QUESTION_MAX], line[IDENT_LINE_MAX];
	size_t len = 0;
	int fd = -1;
	int r;

	if (net_connect(&q->remote, IDENT_PORT, &q->local, deadline_ms, &fd) !=
	    0)
		return QE_ABSENT;
	snprintf(text, sizeof(text), "%u , %u\r\n", (unsigned)q->remote_port,
	    (unsigned)q->local_port);
	r = io_write_all(fd, text, strlen(text)) == 0
		? read_line(fd, deadline_ms, line, sizeof(line), &len)
		: QE_ABSENT;
	io_close(&fd);
	return r == 0 ? ident_parse(strv_from(line, len), out) : r;
}
