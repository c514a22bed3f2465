/*
 * The protocol of clamd, as far as mail needs it, for both of its sides:
 * qmail-smtpd asks, qmail-scand answers.
 *
 * A command is a word with a 'z' before and a NUL behind it, an 'n' before
 * and an LF behind it, or plain with an LF.  INSTREAM is followed by chunks,
 * each behind its length of four bytes in network order; an empty one ends
 * the stream.
 */
#ifndef SMTP_CLAMD_H
#define SMTP_CLAMD_H

#include "base/buf.h"

#include <stdbool.h>

enum {
	CLAMD_REPLY_MAX = 1024, /* bytes of a reply that is read */
	CLAMD_NAME_MAX = 200,   /* bytes of a name that is passed on */
	CLAMD_COMMAND_MAX = 32, /* bytes of a command */
	CLAMD_LENGTH_BYTES = 4
};

/* The client's side. */

enum clamd_verdict {
	CLAMD_CLEAN,
	CLAMD_FOUND,
	CLAMD_TOO_LARGE, /* more than clamd's StreamMaxLength */
	CLAMD_FAILED,    /* "... ERROR" */
	CLAMD_NONSENSE   /* no reply of a clamd */
};

void clamd_add_instream(struct buf *out); /* the command */
/* One chunk; nothing for no bytes, which would end the stream. */
void clamd_add_chunk(struct buf *out, struct strv bytes);
void clamd_add_end(struct buf *out);
/*
 * reply: without its final NUL.  *about becomes the name for CLAMD_FOUND, the
 * words of clamd for CLAMD_FAILED, all of the reply otherwise.
 */
enum clamd_verdict clamd_reply_parse(struct strv reply, struct strv *about);
/* A name for replies and logs: no quotes, ASCII only, CLAMD_NAME_MAX. */
void clamd_add_name(struct buf *out, struct strv name);

/* The server's side. */

enum clamd_command {
	CLAMD_PING,
	CLAMD_VERSION,
	CLAMD_INSTREAM,
	CLAMD_RELOAD,
	CLAMD_STATS,
	CLAMD_UNKNOWN
};

/*
 * Takes a command off what has come so far.  0, with what ends the reply to
 * it and how many bytes it took; QE_EOF if it goes on; QE_LIMIT.
 */
int clamd_command_parse(struct strv input, enum clamd_command *command,
    char *terminator, size_t *used);

struct clamd_stream {
	size_t seen; /* bytes of the present length */
	uint32_t left;
	bool done;
};

/*
 * Takes a piece off the front of *input: 0 with *data (perhaps empty); after
 * the end nothing is taken.  Callers go on until nothing is left.
 */
void clamd_stream_take(
    struct clamd_stream *s, struct strv *input, struct strv *data);

#endif
