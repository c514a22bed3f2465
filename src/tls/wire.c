/*
 * Bytes of the peer in, plain bytes out, and the reverse; never looks into
 * them.  All waiting is in poll(2), in wait_io; nothing is allocated here.
 */
#include "tls/wire.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { LINGER_BYTES = 262144 };

/* One direction: what was read and is not yet written. */
struct lane {
	size_t pos, len, most; /* most: of bytes that were ever used */
	bool ended;            /* its source has */
	bool closed; /* and that was passed on, or nobody reads any more */
	char bytes[WIRE_PIECE];
};

struct relay {
	struct wire *wire;
	int data;
	bool broken;              /* the peer, beyond repair */
	bool wants_in, wants_out; /* what OpenSSL waits for */
	bool data_in, data_out;   /* what we wait for on the plain side */
	bool left; /* by the plain side; what it said may still be there */
	/* All that had come was read: poll(2) will tell of more. */
	bool net_quiet, data_quiet;
	int64_t end_ms; /* IO_FOREVER until our side has ended or left */
	struct lane to_us, to_peer;
};

int
wire_init(struct wire *w)
{
	if (io_set_nonblocking(w->net_in, true) != 0 ||
	    (w->net_out != w->net_in &&
		io_set_nonblocking(w->net_out, true) != 0))
		return QE_SYS;
	return SSL_set_rfd(w->ssl, w->net_in) == 1 &&
		       SSL_set_wfd(w->ssl, w->net_out) == 1
		   ? 0
		   : QE_NOMEM;
}

static int
timeout_of(int64_t end_ms)
{
	int64_t left;

	if (end_ms == IO_FOREVER)
		return -1;
	left = end_ms - clock_mono_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int
wire_handshake(struct wire *w, int64_t deadline_ms)
{
	for (;;) {
		int r = SSL_do_handshake(w->ssl);
		int error;

		if (r == 1)
			return 0;
		error = SSL_get_error(w->ssl, r);
		/* A peer whose bytes are always there never lets us wait. */
		if (clock_mono_ms() >= deadline_ms)
			return QE_TIMEOUT;
		if (error == SSL_ERROR_WANT_READ)
			r = io_wait(w->net_in, POLLIN, deadline_ms);
		else if (error == SSL_ERROR_WANT_WRITE)
			r = io_wait(w->net_out, POLLOUT, deadline_ms);
		else
			return error == SSL_ERROR_SSL ? QE_SYNTAX : QE_EOF;
		if (r != 0)
			return r;
	}
}

/* What OpenSSL says of a call that did nothing: true if it has to wait. */
static bool
must_wait(struct relay *r, int result)
{
	int error = SSL_get_error(r->wire->ssl, result);

	if (error == SSL_ERROR_WANT_READ)
		r->wants_in = true;
	else if (error == SSL_ERROR_WANT_WRITE)
		r->wants_out = true;
	else
		return false;
	return true;
}

static void
note_use(struct lane *lane, size_t n)
{
	if (n > lane->most)
		lane->most = n;
}

/* Whether anything moved. */
static bool
read_peer(struct relay *r)
{
	struct lane *lane = &r->to_us;
	int got;

	if (lane->ended || lane->len > 0)
		return false;
	if (r->net_quiet) {
		r->wants_in = true;
		return false;
	}
	got = SSL_read(r->wire->ssl, lane->bytes, WIRE_PIECE);
	if (got > 0) {
		r->net_quiet = SSL_has_pending(r->wire->ssl) == 0;
		lane->pos = 0;
		note_use(lane, (size_t)got);
		/* Nobody reads: it is thrown away. */
		lane->len = lane->closed ? 0 : (size_t)got;
		return true;
	}
	if (must_wait(r, got))
		return false;
	if (SSL_get_error(r->wire->ssl, got) != SSL_ERROR_ZERO_RETURN)
		r->broken = true;
	lane->ended = true;
	return true;
}

static bool
write_us(struct relay *r)
{
	struct lane *lane = &r->to_us;
	ssize_t did;

	if (lane->len == 0) {
		if (!lane->ended || lane->closed)
			return false;
		lane->closed = true;
		shutdown(r->data, SHUT_WR);
		return true;
	}
	did = send(r->data, lane->bytes + lane->pos, lane->len,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (did < 0 && errno == EINTR)
		return true;
	if (did < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		r->data_out = true;
		return false;
	}
	if (did < 0) {
		lane->closed = true;
		lane->len = 0;
		return true;
	}
	lane->pos += (size_t)did;
	lane->len -= (size_t)did;
	return true;
}

static bool
read_us(struct relay *r)
{
	struct lane *lane = &r->to_peer;
	ssize_t got;

	if (lane->ended || lane->len > 0)
		return false;
	if (r->data_quiet) {
		r->data_in = true;
		return false;
	}
	lane->pos = 0;
	/* All that is there, up to its end: the fewer records the better. */
	do {
		got = recv(r->data, lane->bytes + lane->len,
		    WIRE_PIECE - lane->len, MSG_DONTWAIT);
		if (got > 0)
			lane->len += (size_t)got;
	} while (
	    (got > 0 && lane->len < WIRE_PIECE) || (got < 0 && errno == EINTR));
	note_use(lane, lane->len);
	r->data_quiet = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
	if (got > 0 || (r->data_quiet && lane->len > 0))
		return true;
	if (r->data_quiet) {
		r->data_in = true;
		return false;
	}
	lane->ended = true;
	r->end_ms = clock_mono_ms() + WIRE_END_MS;
	return true;
}

/*
 * What is written meanwhile waits for the end of the stream, which is about
 * to follow: last reply, alert and end are one packet.
 */
static void
hold_packets(const struct wire *w)
{
	const int on = 1;

	(void)setsockopt(w->net_out, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

static bool
write_peer(struct relay *r)
{
	struct lane *lane = &r->to_peer;
	int did;

	if (lane->len == 0) {
		if (!lane->ended || lane->closed)
			return false;
		lane->closed = true;
		SSL_shutdown(r->wire->ssl);
		return true;
	}
	if (lane->ended)
		hold_packets(r->wire);
	did = SSL_write(r->wire->ssl, lane->bytes + lane->pos, (int)lane->len);
	if (did > 0) {
		lane->pos += (size_t)did;
		lane->len -= (size_t)did;
		if (r->left)
			r->end_ms = clock_mono_ms() + WIRE_END_MS;
		return true;
	}
	if (!must_wait(r, did)) {
		r->broken = true;
		return true;
	}
	return false;
}

/* From now on the peer has to take something now and then. */
static void
note_leaving(struct relay *r)
{
	if (r->left || r->to_peer.ended)
		return;
	r->left = true;
	r->end_ms = clock_mono_ms() + WIRE_END_MS;
}

/*
 * A connection that waits for long does without OpenSSL's buffers.  Not each
 * time that nothing is there to read: to empty and make them costs more than
 * to encrypt a reply.
 */
static int
poll_quiet(const struct relay *r, struct pollfd p[3])
{
	int n;

	if (r->end_ms != IO_FOREVER)
		return poll(p, 3, timeout_of(r->end_ms));
	n = poll(p, 3, WIRE_QUIET_MS);
	if (n != 0)
		return n;
	(void)SSL_free_buffers(r->wire->ssl);
	return poll(p, 3, -1);
}

/* Until something can go on: false when the time is over. */
static bool
wait_io(struct relay *r)
{
	struct wire *w = r->wire;
	struct pollfd p[3] = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 } };
	int n;

	if (r->wants_in)
		p[0] = (struct pollfd){ .fd = w->net_in, .events = POLLIN };
	if (r->wants_out)
		p[1] = (struct pollfd){ .fd = w->net_out, .events = POLLOUT };
	p[2].events =
	    (short)((r->data_in ? POLLIN : 0) | (r->data_out ? POLLOUT : 0));
	/* Else a peer that takes nothing would keep us from seeing it go. */
	if (p[2].events != 0 || (!r->left && !r->to_peer.ended))
		p[2].fd = r->data;
	n = poll_quiet(r, p);
	if (p[0].revents != 0 || p[1].revents != 0)
		r->net_quiet = false;
	if (p[2].revents != 0)
		r->data_quiet = false;
	if ((p[2].revents & (POLLHUP | POLLERR)) != 0)
		note_leaving(r);
	return n > 0 || (n < 0 && errno == EINTR);
}

/* Our side has ended and that was said: whatever still comes is not ours. */
static bool
is_over(const struct relay *r)
{
	return r->broken ? r->to_us.closed : r->to_peer.closed;
}

/*
 * Unread input would turn our close into a reset, which may overtake the last
 * reply: read on for a moment, until the peer has hung up.
 */
static void
linger(const struct wire *w)
{
	int64_t end = clock_mono_ms() + WIRE_LINGER_MS;
	char bytes[4096];
	size_t taken = 0;

	if (shutdown(w->net_out, SHUT_WR) < 0)
		return;
	while (taken < LINGER_BYTES && io_wait(w->net_in, POLLIN, end) == 0) {
		ssize_t got = io_read(w->net_in, bytes, sizeof(bytes));

		if (got <= 0)
			return;
		taken += (size_t)got;
	}
}

/*
 * A peer that spoke last in its handshake may keep its first word until that
 * is acknowledged (Nagle), which we would not do for 40 ms.  The value 2 means
 * now, and not for what follows.
 */
static void
acknowledge(const struct wire *w)
{
	const int now = 2;

	(void)setsockopt(
	    w->net_in, IPPROTO_TCP, TCP_QUICKACK, &now, sizeof(now));
}

/* Trouble is met again by whoever reads next. */
static void
join_next(struct relay *r)
{
	struct lane *lane = &r->to_us;
	int64_t end = clock_mono_ms() + WIRE_HOLD_MS;
	SSL *ssl = r->wire->ssl;
	int got;

	got = SSL_read(
	    ssl, lane->bytes + lane->len, (int)(WIRE_PIECE - lane->len));
	if (got <= 0 && SSL_get_error(ssl, got) == SSL_ERROR_WANT_READ)
		acknowledge(r->wire);
	while (got <= 0 && SSL_get_error(ssl, got) == SSL_ERROR_WANT_READ &&
	       io_wait(r->wire->net_in, POLLIN, end) == 0 &&
	       clock_mono_ms() < end)
		got = SSL_read(ssl, lane->bytes + lane->len,
		    (int)(WIRE_PIECE - lane->len));
	if (got > 0) {
		lane->len += (size_t)got;
		r->net_quiet = SSL_has_pending(ssl) == 0;
	}
}

static void
put_first(struct relay *r, struct strv first)
{
	struct lane *lane = &r->to_us;

	lane->len = first.len < WIRE_FIRST_MAX ? first.len : WIRE_FIRST_MAX;
	memcpy(lane->bytes, first.ptr, lane->len);
	if (r->wire->peer_is_next)
		join_next(r);
	note_use(lane, lane->len);
}

bool
wire_relay(struct wire *w, struct strv first)
{
	struct relay r;

	r.wire = w;
	r.data = w->data;
	r.broken = r.left = false;
	r.net_quiet = r.data_quiet = false;
	r.end_ms = IO_FOREVER;
	r.to_us.pos = r.to_us.len = r.to_us.most = 0;
	r.to_peer.pos = r.to_peer.len = r.to_peer.most = 0;
	r.to_us.ended = r.to_us.closed = false;
	r.to_peer.ended = r.to_peer.closed = false;
	if (first.len > 0)
		put_first(&r, first);
	while (!is_over(&r)) {
		bool moved;

		r.wants_in = r.wants_out = r.data_in = r.data_out = false;
		moved = read_peer(&r);
		moved |= write_us(&r);
		if (!r.broken) {
			moved |= read_us(&r);
			moved |= write_peer(&r);
		}
		if (!moved && !wait_io(&r))
			break;
	}
	explicit_bzero(r.to_us.bytes, r.to_us.most);
	explicit_bzero(r.to_peer.bytes, r.to_peer.most);
	if (!is_over(&r) || r.broken)
		return false;
	linger(w);
	return true;
}
