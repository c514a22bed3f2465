/*
 * The socket between qmail-rspawn and a qmail-remote that stays alive: unix
 * packets (SOCK_SEQPACKET), one letter and what belongs to it.
 *
 *   to qmail-remote
 *     D host\0 sender\0 recipient\0 ...   and the message's descriptor
 *     T                 and a place that takes orders for TLS, for as long as
 *                       no other comes (smtp/tls_way.h)
 *   from it
 *     H                 it is there and understands this
 *     V name\0           a connection for the last D stands, to the exchanger
 *                       of this name; nothing has been said over it yet
 *     R result ...      what became of recipients of the last D: number (2
 *                       bytes), length (4 bytes), both little-endian, and
 *                       what qmail-remote would have written for this
 *                       recipient alone
 *     E state name\0 result ...   the same for the last ones, whether there
 *                       is a connection, and the exchanger's name
 *     C                 the connection that was left open is closed
 *
 * It ends when its end of the socket does.
 */
#ifndef SPOOL_REMOTE_LINK_H
#define SPOOL_REMOTE_LINK_H

#include "base/buf.h"

#include <stdbool.h>

enum {
	REMOTE_LINK_PACKET_MAX = 65536, /* bytes */
	REMOTE_LINK_RESULT_MAX = 32768, /* ... of one result */
	REMOTE_LINK_NAME_MAX = 255,     /* ... of an exchanger's name */
	REMOTE_LINK_RECIPIENTS_MAX = 100
};

enum remote_link_letter {
	REMOTE_LINK_JOB = 'D',
	REMOTE_LINK_TLS = 'T',
	REMOTE_LINK_HELLO = 'H',
	REMOTE_LINK_VIA = 'V',
	REMOTE_LINK_RESULTS = 'R',
	REMOTE_LINK_END = 'E',
	REMOTE_LINK_CLOSED = 'C'
};

/* Behind E: is there a connection for the next message? */
enum remote_link_state {
	REMOTE_LINK_IS_OPEN = 'o',
	REMOTE_LINK_IS_CLOSED = 'c'
};

/* One transaction; views into the packet. */
struct remote_job {
	struct strv host, sender;
	struct strv recipients; /* each with its NUL */
	size_t count;
};

/*
 * Sends one packet, with a descriptor unless it is -1; never waits if the
 * socket does not.  0 or QE_SYS.
 */
int remote_link_send(int fd, struct strv packet, int passed_fd);
/*
 * Receives one packet of at most cap bytes.  0, QE_EOF (also of an empty one),
 * QE_SYNTAX (cut), QE_SYS.  *passed_fd is -1 or the caller's to close,
 * close-on-exec; with passed_fd NULL no descriptor is taken from anybody.
 */
int remote_link_receive(
    int fd, char *data, size_t cap, struct strv *packet, int *passed_fd);

/* "D", host and sender; recipients follow with remote_link_add_text. */
void remote_link_add_job(struct buf *out, struct strv host, struct strv sender);
void remote_link_add_text(struct buf *out, struct strv text);
/* 0 or QE_SYNTAX, QE_LIMIT (too many recipients). */
int remote_link_parse_job(struct strv packet, struct remote_job *out);

/* Behind R, or behind what remote_link_add_end has added. */
void remote_link_add_result(
    struct buf *packet, unsigned number, struct strv text);
/* Takes a result off *rest: 0, QE_EOF, QE_SYNTAX. */
int remote_link_next_result(
    struct strv *rest, unsigned *number, struct strv *text);

void remote_link_add_via(struct buf *out, struct strv exchanger);
/* 0 or QE_SYNTAX. */
int remote_link_parse_via(struct strv packet, struct strv *exchanger);

void remote_link_add_end(struct buf *out, bool is_open, struct strv exchanger);
/* 0 or QE_SYNTAX. */
int remote_link_parse_end(struct strv packet, bool *is_open,
    struct strv *exchanger, struct strv *results);

#endif
