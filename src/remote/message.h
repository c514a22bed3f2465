/* The message on descriptor 0: read in pieces, as often as need be. */
#ifndef REMOTE_MESSAGE_H
#define REMOTE_MESSAGE_H

#include "base/strv.h"

#include <sys/types.h>

enum { MESSAGE_PIECE = 65536 }; /* bytes read at a time */

struct message {
	int fd;
	bool owns_fd; /* a copy made because the original is no file */
	off_t start, at;
	char *data; /* owned, MESSAGE_PIECE bytes */
	size_t len; /* of what data holds, of a whole message */
	bool whole; /* all of it is in data */
	bool scanned;
	/* Known once scanned. */
	uint64_t wire_bytes; /* RFC 1870: CR LF line ends, dots not doubled */
	bool eight_bit;      /* it has bytes above 127 */
};

/*
 * Begins at fd's present offset.  What is no regular file is copied into
 * memory first.  0, QE_SYS, QE_NOMEM.
 */
int message_open(int fd, struct message *out);
void message_close(struct message *message);
/* Finds out size and eight_bit; only the first call works.  0, QE_SYS. */
int message_scan(struct message *message);
/* As it is stored: 0, QE_SYS. */
int message_bytes(const struct message *message, uint64_t *bytes);
void message_rewind(struct message *message);
/* The next piece: 0, QE_EOF, QE_SYS.  Lives until the next call. */
int message_next(struct message *message, struct strv *piece);

#endif
