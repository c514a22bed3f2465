/*
 * The loop of a qmail-remote that stays alive.  Between messages it keeps its
 * connection, as long as control/connectionidle, connectionmessages and
 * connectiontime allow, and the peer.  The control files are read when there
 * is no connection, and connectiontime counts from there: a peer that hangs up
 * at each second message does not keep their old contents alive.
 *
 * Nothing of a message stays but the connection it went over.
 */
#include "remote/resident.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "remote/remote.h"
#include "smtp/tls_way.h"
#include "spool/remote_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes of results in a packet, besides what else is in it. */
enum { RESULTS_FULL = REMOTE_LINK_PACKET_MAX - 1024 };

struct limits {
	int64_t idle_ms, messages, life_ms; /* of a connection */
};

struct resident {
	int link_fd;
	int tls_place; /* that we were given, or 0 */
	struct remote remote;
	bool has_remote;
	int failed; /* of remote_init */
	struct report failure;
	struct limits limits;
	bool connected;
	struct buf exchanger;                     /* of the last connection */
	int64_t messages, read_ms, idle_until_ms; /* read_ms: control files */
	struct buf out;
	char received[REMOTE_LINK_PACKET_MAX];
};

bool
resident_is_wanted(void)
{
	int type = 0, family = 0;
	socklen_t len = sizeof(int);

	return getsockopt(0, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET &&
	       getsockopt(0, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 &&
	       family == AF_UNIX;
}

static void
load_limits(struct limits *limits)
{
	struct control_error error;
	int64_t n;

	*limits = (struct limits){ .messages = 1 };
	/* A value that makes no sense keeps no connection open. */
	if (control_int(CTL_CONNECTIONMESSAGES, &n, &error) == 0)
		limits->messages = n;
	if (control_int(CTL_CONNECTIONTIME, &n, &error) == 0)
		limits->life_ms = n * 1000;
	if (control_int(CTL_CONNECTIONIDLE, &n, &error) == 0)
		limits->idle_ms = n * 1000;
}

static int
send_out(struct resident *r)
{
	int result = r->out.err;

	if (result == 0)
		result = remote_link_send(r->link_fd, buf_view(&r->out), -1);
	buf_reset(&r->out);
	return result;
}

/* Whoever else waits for this exchanger need not wait for the report. */
static void
tell_connected(void *context, struct strv exchanger)
{
	struct resident *r = context;

	remote_link_add_via(&r->out, exchanger);
	(void)send_out(r);
}

static void
refresh(struct resident *r)
{
	if (r->connected)
		return;
	if (r->has_remote)
		remote_free(&r->remote);
	report_free(&r->failure);
	r->has_remote = true;
	r->failed = report_init(&r->failure, NULL, 0);
	if (r->failed == 0)
		r->failed = remote_init(&r->remote, &r->failure);
	r->remote.settings.connected = tell_connected;
	r->remote.settings.context = r;
	r->remote.settings.tls_place = r->tls_place;
	load_limits(&r->limits);
	r->read_ms = clock_mono_ms();
}

/* In as few packets as possible: the last one tells of the connection, too. */
static int
send_results(struct resident *r, const struct report *report)
{
	struct buf text = BUF_LIMIT(REMOTE_LINK_RESULT_MAX);
	struct buf rest = BUF_LIMIT(REMOTE_LINK_PACKET_MAX);
	int result = 0;

	for (size_t i = 0; result == 0 && i < report->count; i++) {
		buf_reset(&text);
		report_add_single(report, i, &text);
		if (text.err == 0 && rest.len + text.len > RESULTS_FULL) {
			buf_add_char(&r->out, REMOTE_LINK_RESULTS);
			buf_add_view(&r->out, buf_view(&rest));
			buf_reset(&rest);
			result = send_out(r);
		}
		remote_link_add_result(&rest, (unsigned)i, buf_view(&text));
		if (text.err != 0 || rest.err != 0)
			result = QE_NOMEM;
	}
	remote_link_add_end(&r->out, r->connected, buf_view(&r->exchanger));
	buf_add_view(&r->out, buf_view(&rest));
	if (result == 0)
		result = send_out(r);
	buf_free(&text);
	buf_free(&rest);
	return result;
}

static void
close_connection(struct resident *r)
{
	if (r->has_remote)
		session_close(&r->remote.session);
	r->connected = false;
}

/* After a message: does its connection wait for the next one? */
static void
keep_or_close(struct resident *r)
{
	const struct session *session = &r->remote.session;
	int64_t now = clock_mono_ms();

	if (!r->has_remote || !session->is_open) {
		r->connected = false;
		return;
	}
	buf_reset(&r->exchanger);
	buf_add_view(&r->exchanger, session_exchanger(session));
	if (!r->connected || session->messages <= 1) {
		r->connected = true;
		r->messages = 0;
	}
	r->messages++;
	r->idle_until_ms = now + r->limits.idle_ms;
	if (r->messages >= r->limits.messages ||
	    now - r->read_ms >= r->limits.life_ms || r->limits.idle_ms == 0)
		close_connection(r);
}

static void
deliver(struct resident *r, const struct remote_job *job, int fd,
    struct report *report)
{
	struct errand errand = {
		.host = job->host, .sender = job->sender, .fd = fd, .keep = true
	}; /* keep_or_close decides */

	buf_reset(&r->exchanger);
	if (r->failed == 0) {
		remote_deliver(&r->remote, &errand, report);
		return;
	}
	report_set(report, 'Z', "Out of memory. (#4.3.0)");
	if (r->failure.letter != 0) {
		buf_reset(&report->text);
		buf_add_view(&report->text, buf_view(&r->failure.text));
	}
}

/* 0, or a negative code and there is no going on. */
static int
run_job(struct resident *r, const struct remote_job *job, int *fd)
{
	char *addresses[REMOTE_LINK_RECIPIENTS_MAX];
	char *at = r->received + (job->recipients.ptr - r->received);
	struct report report;
	int result;

	for (size_t i = 0; i < job->count; i++) {
		addresses[i] = at;
		at += strlen(at) + 1;
	}
	result = report_init(&report, addresses, job->count);
	if (result != 0)
		return result;
	refresh(r);
	deliver(r, job, *fd, &report);
	io_close(fd);
	keep_or_close(r);
	result = send_results(r, &report);
	report_free(&report);
	return result;
}

/* Instead of the one that it had; of use from the next connection on. */
static int
take_place(struct resident *r, int *fd)
{
	if (!tls_way_is_place(*fd))
		return QE_SYNTAX;
	if (r->tls_place > 0)
		io_close(&r->tls_place);
	r->tls_place = *fd;
	r->remote.settings.tls_place = *fd;
	*fd = -1;
	return 0;
}

/* 0, or a negative code and there is no going on. */
static int
take_packet(struct resident *r)
{
	struct remote_job job;
	struct strv packet;
	int fd;
	int result = remote_link_receive(
	    r->link_fd, r->received, sizeof(r->received), &packet, &fd);

	if (result == QE_SYS && errno == EAGAIN)
		return 0;
	if (result == 0 && fd < 0)
		result = QE_SYNTAX;
	if (result == 0 && packet.ptr[0] == REMOTE_LINK_TLS) {
		result = take_place(r, &fd);
	} else if (result == 0) {
		result = remote_link_parse_job(packet, &job);
		if (result == 0)
			result = run_job(r, &job, &fd);
	}
	io_close(&fd);
	return result;
}

/*
 * Waits for work.  A peer that says something unasked, or hangs up, has had
 * enough.  0, or a negative code and there is no going on.
 */
static int
wait_and_serve(struct resident *r)
{
	int peer = r->connected ? r->remote.session.peer.fd : -1;
	struct pollfd p[2];
	int timeout = -1;

	if (r->connected) {
		int64_t left = r->idle_until_ms - clock_mono_ms();

		timeout = left <= 0 ? 0 : (int)left;
	}
	p[0] = (struct pollfd){ .fd = r->link_fd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = peer, .events = POLLIN };
	if (poll(p, 2, timeout) < 0)
		return errno == EINTR ? 0 : QE_SYS;
	if (r->connected && p[0].revents == 0 &&
	    (p[1].revents != 0 || clock_mono_ms() >= r->idle_until_ms)) {
		close_connection(r);
		buf_add_char(&r->out, REMOTE_LINK_CLOSED);
		return send_out(r);
	}
	return p[0].revents != 0 ? take_packet(r) : 0;
}

/* The socket leaves descriptor 0: no helper may inherit it. */
static int
take_socket(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || null < 0 || dup2(null, 0) < 0)
		return -1;
	io_close(&null);
	return fd;
}

int
resident_serve(void)
{
	static struct resident r;
	int result;

	r.out = (struct buf)BUF_LIMIT(REMOTE_LINK_PACKET_MAX);
	r.exchanger = (struct buf)BUF_LIMIT(REMOTE_LINK_NAME_MAX);
	r.link_fd = take_socket();
	if (r.link_fd < 0)
		return EX_TEMPORARY;
	buf_add_char(&r.out, REMOTE_LINK_HELLO);
	result = send_out(&r);
	while (result == 0)
		result = wait_and_serve(&r);
	close_connection(&r);
	return result == QE_EOF ? EX_SUCCESS : EX_TEMPORARY;
}
