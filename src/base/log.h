/*
 * Everything that reaches a log passes one of these sanitizers.
 *
 * Programs that talk to strangers log whole lines with log_line; qmail-send
 * encodes addresses and reports with log_add_safe, as its readers expect.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"

#include <sys/types.h>

enum { LOG_LINE_MAX = 1000 }; /* bytes of a line, without its LF */

/* qmail-send's encoding: LF to '/', bytes <= 32, >= 127 and '%' to '_'. */
void log_add_safe(struct buf *out, struct strv text);
/* Control characters, backslash and bytes >= 127 as \ooo. */
void log_add_escaped(struct buf *out, struct strv text);

/*
 * Writes one line to fd in a single write(2): "<name>: pid <pid> <text>", text
 * escaped and cut at LOG_LINE_MAX.  Failures are ignored: a full log pipe or
 * disk must not stop mail.
 */
void log_line(int fd, const char *name, struct strv text);
/* The same for a session that another process began. */
void log_line_as(int fd, const char *name, pid_t pid, struct strv text);
/* The same without "pid <pid>", for messages of programs to people. */
void log_message(int fd, const char *name, struct strv text);

#endif
