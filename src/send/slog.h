/*
 * qmail-send's log: whole lines, kept in a buffer until the end of a turn of
 * the main loop, so that a busy turn costs one write(2).
 *
 * A reader that stops reading stops qmail-send, as it always has: what is
 * done without a log is done unseen.  A log that is gone stops nothing.
 */
#ifndef SEND_SLOG_H
#define SEND_SLOG_H

#include "base/buf.h"

struct slog {
	int fd;
	struct buf lines;
};

void slog_init(struct slog *log, int fd);
/* One line; "\n" is added.  Only for text of our own. */
void slog_line(struct slog *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "warning: <what> <path><rest>" */
void slog_warn_file(
    struct slog *log, const char *what, const char *path, const char *rest);
/* "<format><safe text><tail>", the text in qmail-send's encoding. */
void slog_safe(struct slog *log, struct strv text, const char *tail,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void slog_flush(struct slog *log);

#endif
