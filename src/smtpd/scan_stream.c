/* The client's side of a conversation with clamd; see the header. */
#include "smtpd/scan_stream.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <poll.h>

static void
give_up(struct scan_stream *st, int result)
{
	st->ended = true;
	st->result = result;
	st->errnum = errno;
	buf_free(&st->out);
}

/* The time until which we may wait now. */
static int64_t
limit(const struct scan_stream *st, int64_t deadline_ms)
{
	int64_t end = clock_mono_ms() + st->patience_ms;

	return end < deadline_ms ? end : deadline_ms;
}

static void
wait_for(struct scan_stream *st, short events, int64_t deadline_ms)
{
	int64_t before = clock_mono_ms();
	int r = io_wait(st->fd, events, limit(st, deadline_ms));

	st->patience_ms -= clock_mono_ms() - before;
	if (r != 0)
		give_up(st, r);
}

static void
open_connection(struct scan_stream *st, int64_t deadline_ms)
{
	int64_t before = clock_mono_ms();
	int r = endpoint_connect(st->scanner, limit(st, deadline_ms), &st->fd);

	st->patience_ms -= clock_mono_ms() - before;
	if (r != 0)
		give_up(st, r);
}

/*
 * Takes what the scanner says: true if there was something, or its end.  A
 * reply before the end of the message ends the sending of it.
 */
static bool
listen_to(struct scan_stream *st)
{
	char words[CLAMD_REPLY_MAX];
	ssize_t got = io_read(st->fd, words, sizeof(words));

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (got > 0)
		buf_add(&st->reply, words, (size_t)got);
	if (st->reply.err != 0)
		give_up(st, st->reply.err);
	else if (strv_find(buf_view(&st->reply), '\0') != STRV_NPOS)
		st->ended = true;
	else if (got <= 0)
		give_up(st, got == 0 ? QE_EOF : QE_SYS);
	return true;
}

/* The scanner takes nothing any more: perhaps it has said why. */
static void
listen_to_the_last(struct scan_stream *st)
{
	int errnum = errno;

	while (!st->ended && listen_to(st))
		continue;
	if (st->ended)
		return;
	errno = errnum;
	give_up(st, QE_SYS);
}

/* Sends what it takes without waiting. */
static void
push(struct scan_stream *st, int64_t deadline_ms)
{
	if (st->fd < 0 && !st->ended)
		open_connection(st, deadline_ms);
	while (!st->ended && st->out.len > 0) {
		ssize_t did = send(st->fd, st->out.data, st->out.len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (did > 0) {
			buf_consume(&st->out, (size_t)did);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (errno != EINTR)
			listen_to_the_last(st);
	}
}

/* Sends until no more than left bytes wait. */
static void
drain(struct scan_stream *st, size_t left, int64_t deadline_ms)
{
	push(st, deadline_ms);
	while (!st->ended && st->out.len > left) {
		wait_for(st, POLLOUT | POLLIN, deadline_ms);
		if (!st->ended)
			listen_to(st);
		push(st, deadline_ms);
	}
}

void
scan_stream_begin(
    struct scan_stream *st, const struct endpoint *scanner, int64_t patience_ms)
{
	*st = (struct scan_stream){
		.scanner = scanner,
		.fd = -1,
		.reply = BUF_LIMIT(CLAMD_REPLY_MAX),
		.patience_ms = patience_ms,
	};
	clamd_add_instream(&st->out);
}

void
scan_stream_feed(struct scan_stream *st, struct strv bytes, int64_t deadline_ms)
{
	if (st->ended)
		return;
	clamd_add_chunk(&st->out, bytes);
	if (st->out.err != 0) {
		give_up(st, st->out.err);
		return;
	}
	if (st->out.len > SCAN_WAITING_MAX)
		drain(st, SCAN_WAITING_MAX, deadline_ms);
	else if (st->out.len >= SCAN_FLUSH)
		push(st, deadline_ms);
}

int
scan_stream_end(struct scan_stream *st, int64_t deadline_ms,
    enum clamd_verdict *verdict, struct strv *about)
{
	struct strv reply;

	/* An answer that is there already is not about all of it. */
	if (!st->ended && st->fd >= 0)
		listen_to(st);
	if (!st->ended) {
		clamd_add_end(&st->out);
		if (st->out.err != 0)
			give_up(st, st->out.err);
	}
	if (!st->ended)
		drain(st, 0, deadline_ms);
	st->whole = st->out.len == 0 && !st->ended;
	while (!st->ended) {
		wait_for(st, POLLIN, deadline_ms);
		if (!st->ended)
			listen_to(st);
	}
	if (st->result != 0) {
		errno = st->errnum;
		return st->result;
	}
	reply = buf_view(&st->reply);
	*verdict =
	    clamd_reply_parse(strv_head(reply, strv_find(reply, '\0')), about);
	/* Nobody can know that before the end. */
	if (*verdict == CLAMD_CLEAN && !st->whole)
		*verdict = CLAMD_NONSENSE;
	return 0;
}

void
scan_stream_free(struct scan_stream *st)
{
	io_close(&st->fd);
	buf_free(&st->out);
	buf_free(&st->reply);
}
