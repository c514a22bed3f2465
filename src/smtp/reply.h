/*
 * Replies: what handlers return, and the client's reader of them
 * (RFC 5321 section 4.2, RFC 3463).
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/buf.h"
#include "base/io.h"

enum {
	REPLY_TEXT_MAX = 480,
	/* Of others' replies: what is kept of one and of each line in it, */
	REPLY_READ_MAX = 65536,
	REPLY_LINE_MAX = 4096,
	/* and what a whole one may have, lines of 512 bytes
	 * (RFC 5321 section 4.5.3.1.5) */
	REPLY_LINES_MAX = 1000,
	REPLY_BYTES_MAX = 512 * REPLY_LINES_MAX
};

/* A reply of one line: "250 2.1.0 ok". */
struct reply {
	int code;             /* 220 ... 599; 0: none yet */
	const char *enhanced; /* "2.1.0", or NULL */
	char text[REPLY_TEXT_MAX];
	bool close; /* the connection ends after it */
};

struct reply reply_make(int code, const char *enhanced, const char *text);
struct reply reply_makef(int code, const char *enhanced, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
/* Adds "250 2.1.0 ok" CR LF; bytes that would end a line become '?'. */
void reply_add(struct buf *out, const struct reply *reply);
/* One line of a multi-line reply: "250-text" unless last. */
void reply_add_line(struct buf *out, int code, struct strv text, bool last);

/*
 * Client: reads a whole reply.  text gets all lines, CR removed, NUL as '?',
 * each ended by LF, cut at REPLY_READ_MAX bytes, or text->max if that is less.
 * *code is that of the last line.  0, QE_EOF, QE_TIMEOUT, QE_SYS, QE_SYNTAX (no
 * reply code), QE_LIMIT (it goes on beyond REPLY_LINES_MAX or REPLY_BYTES_MAX,
 * and text has its beginning).
 */
int reply_read(
    struct source *in, int64_t deadline_ms, int *code, struct buf *text);

#endif
