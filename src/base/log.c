/* Sanitizers for everything that reaches a log, and whole-line writing. */
#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

void
log_add_safe(struct buf *out, struct strv text)
{
	char *to = buf_reserve(out, text.len);

	if (to == NULL)
		return;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c == '\n')
			to[i] = '/';
		else if (c <= 32 || c >= 127 || c == '%')
			to[i] = '_';
		else
			to[i] = (char)c;
	}
	out->len += text.len;
}

void
log_add_escaped(struct buf *out, struct strv text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		char octal[4] = { '\\', (char)('0' + (c >> 6)),
			(char)('0' + (c >> 3 & 7)), (char)('0' + (c & 7)) };

		if (c < 32 || c >= 127 || c == '\\')
			buf_add(out, octal, sizeof(octal));
		else
			buf_add_char(out, (char)c);
	}
}

/* Cuts at LOG_LINE_MAX and writes everything at once, so lines never mix. */
static void
log_emit(int fd, const char *prefix, struct strv text)
{
	/* An escaped byte takes four; more than the line can show is dropped */
	char usual[256];
	struct buf line = BUF_IN(usual, 5 * LOG_LINE_MAX);
	ssize_t ignored;

	buf_add_str(&line, prefix);
	log_add_escaped(&line, strv_head(text, LOG_LINE_MAX));
	if (line.len > LOG_LINE_MAX)
		buf_truncate(&line, LOG_LINE_MAX);
	buf_add_char(&line, '\n');
	if (line.err == 0) {
		ignored = write(fd, line.data, line.len);
		(void)ignored;
	}
	buf_free(&line);
}

void
log_line_as(int fd, const char *name, pid_t pid, struct strv text)
{
	char prefix[128];

	snprintf(prefix, sizeof(prefix), "%s: pid %ld ", name, (long)pid);
	log_emit(fd, prefix, text);
}

void
log_line(int fd, const char *name, struct strv text)
{
	log_line_as(fd, name, getpid(), text);
}

void
log_message(int fd, const char *name, struct strv text)
{
	char prefix[128];

	snprintf(prefix, sizeof(prefix), "%s: ", name);
	log_emit(fd, prefix, text);
}
