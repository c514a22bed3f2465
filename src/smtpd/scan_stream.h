/*
 * One message on its way to clamd, while the client still sends it.
 *
 * Bytes that the scanner does not take at once wait here, SCAN_WAITING_MAX at
 * most.  If it falls behind more than that, or when the message has ended, we
 * wait for it, but all waits for one message together are limited by the
 * patience given at the start.
 */
#ifndef SMTPD_SCAN_STREAM_H
#define SMTPD_SCAN_STREAM_H

#include "base/endpoint.h"
#include "smtp/clamd.h"

enum {
	SCAN_FLUSH = 16384,      /* bytes sent at a time */
	SCAN_WAITING_MAX = 65536 /* bytes that wait for the scanner */
};

struct scan_stream {
	const struct endpoint *scanner; /* lent */
	int fd;                         /* -1: not connected yet */
	struct buf out;                 /* not taken yet */
	struct buf reply;
	bool whole; /* all of the message has been sent */
	bool ended; /* nothing more is sent: it failed, or has answered */
	/* How it failed, if it did: 0, QE_TIMEOUT, QE_EOF, QE_SYS ... */
	int result, errnum;
	int64_t patience_ms; /* left, for all waits together */
};

/* Connects with the first bytes that are sent, not here. */
void scan_stream_begin(struct scan_stream *st, const struct endpoint *scanner,
    int64_t patience_ms);
void scan_stream_feed(
    struct scan_stream *st, struct strv bytes, int64_t deadline_ms);
/*
 * Ends the message and waits for the verdict: 0 with *verdict and *about,
 * which dies with st; or what has kept the scanner from answering: QE_TIMEOUT,
 * QE_EOF (it has hung up), QE_SYS (errno), QE_NOMEM, QE_LIMIT.
 */
int scan_stream_end(struct scan_stream *st, int64_t deadline_ms,
    enum clamd_verdict *verdict, struct strv *about);
void scan_stream_free(struct scan_stream *st);

#endif
