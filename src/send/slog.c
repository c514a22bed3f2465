/* qmail-send's log; see the header. */
#include "send/slog.h"
#include "base/io.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	SLOG_MAX = 1 << 18,  /* bytes that may wait */
	SLOG_FULL = 1 << 16, /* bytes that are written at once */
	SLOG_WORDS = 512     /* bytes of a line besides its safe text */
};

void
slog_init(struct slog *log, int fd)
{
	*log = (struct slog){ .fd = fd, .lines = BUF_LIMIT(SLOG_MAX) };
}

void
slog_flush(struct slog *log)
{
	if (log->lines.len > 0 &&
	    io_write_all(log->fd, log->lines.data, log->lines.len) != 0)
		buf_reset(&log->lines); /* nobody is left to tell */
	buf_reset(&log->lines);
}

static void
add_words(struct slog *log, const char *format, va_list args)
{
	char words[SLOG_WORDS];
	int n = vsnprintf(words, sizeof(words), format, args);

	if (n > 0)
		buf_add(&log->lines, words,
		    (size_t)n < sizeof(words) ? (size_t)n : sizeof(words) - 1);
}

/* A line that does not fit is dropped whole. */
static void
end_line(struct slog *log, size_t start)
{
	buf_add_char(&log->lines, '\n');
	if (log->lines.err != 0) {
		log->lines.err = 0;
		buf_truncate(&log->lines, start);
	}
	if (log->lines.len >= SLOG_FULL)
		slog_flush(log);
}

void
slog_line(struct slog *log, const char *format, ...)
{
	size_t start = log->lines.len;
	va_list args;

	va_start(args, format);
	add_words(log, format, args);
	va_end(args);
	end_line(log, start);
}

void
slog_warn_file(
    struct slog *log, const char *what, const char *path, const char *rest)
{
	slog_line(log, "warning: %s %s%s", what, path, rest);
}

void
slog_safe(struct slog *log, struct strv text, const char *tail,
    const char *format, ...)
{
	size_t start = log->lines.len;
	va_list args;

	va_start(args, format);
	add_words(log, format, args);
	va_end(args);
	log_add_safe(&log->lines, text);
	buf_add_str(&log->lines, tail);
	end_line(log, start);
}
