/*
 * Has qmail-tlsd in the client role do the handshake, and waits for its
 * verdict. It is a process that is forked for this where somebody takes orders
 * (see tls/clients.c), else one that is started here.  The request goes to it
 * as NUL-terminated strings on a socket of its own, the facts come back the
 * same way; see tls/client.c for the other end.
 */
#include "smtp/tls_client.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "base/spawn.h"
#include "smtp/tls_way.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GRACE_MS = 1000 }; /* qmail-tlsd itself is to notice the deadline */

static const char *const level_names[] = { "none", "may", "encrypt", "verify",
	"dane" };

/* What qmail-tlsd calls the outcomes. */
static const struct {
	const char *name;
	int result;
} outcomes[] = {
	{"ok",        0         },
	{ "verified", 0         },
	{ "denied",   QE_DENIED },
	{ "protocol", QE_SYNTAX },
	{ "gone",     QE_EOF    },
	{ "timeout",  QE_TIMEOUT},
	{ "config",   QE_CORRUPT},
	{ "nomem",    QE_NOMEM  },
};

static void
add_tlsa(struct buf *out, const struct tls_tlsa *record)
{
	buf_addf(out, "tlsa=%u %u %u ", record->usage, record->selector,
	    record->matching);
	for (size_t i = 0; i < record->data.len; i++)
		buf_addf(out, "%02x", (unsigned char)record->data.ptr[i]);
	buf_add_char(out, '\0');
}

void
tls_client_encode(
    const struct tls_client_request *request, int64_t now_ms, struct buf *out)
{
	int64_t left = request->deadline_ms - now_ms;

	buf_addf(out, "level=%s", level_names[request->level]);
	buf_add_char(out, '\0');
	buf_addf(out, "timeout=%lld", (long long)(left < 0 ? 0 : left));
	buf_add_char(out, '\0');
	for (size_t i = 0; i < request->name_count; i++) {
		buf_add_str(out, "name=");
		buf_add_view(out, request->names[i]);
		buf_add_char(out, '\0');
	}
	if (request->ca_file != NULL) {
		buf_addf(out, "cafile=%s", request->ca_file);
		buf_add_char(out, '\0');
	}
	for (size_t i = 0; i < request->tlsa_count; i++)
		/* One without data names nobody. */
		if (request->tlsa[i].data.len > 0)
			add_tlsa(out, &request->tlsa[i]);
	buf_add_char(out, '\0');
}

static bool
is_sound(const struct tls_client_request *request)
{
	if (request->level == TLS_LEVEL_NONE ||
	    request->name_count > TLS_CLIENT_NAMES_MAX ||
	    request->tlsa_count > TLS_CLIENT_TLSA_MAX)
		return false;
	if (request->level >= TLS_LEVEL_VERIFY && request->name_count == 0)
		return false;
	for (size_t i = 0; i < request->name_count; i++)
		if (strv_find(request->names[i], '\0') != STRV_NPOS)
			return false;
	return request->level != TLS_LEVEL_DANE || request->tlsa_count > 0;
}

/* Two pairs of sockets: for the clear text, and to give orders. */
struct pairs {
	int data[2], control[2]; /* ours and his */
};

static int
make_pairs(struct pairs *p)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC;

	if (socketpair(AF_UNIX, type, 0, p->data) < 0)
		return QE_SYS;
	if (socketpair(AF_UNIX, type, 0, p->control) < 0) {
		io_close(&p->data[0]);
		io_close(&p->data[1]);
		return QE_SYS;
	}
	return 0;
}

/* His ends are his alone; without him ours are of no use. */
static int
keep_ours(struct pairs *p, int r, struct tls_client *out, int *control)
{
	io_close(&p->data[1]);
	io_close(&p->control[1]);
	if (r == 0) {
		out->fd = p->data[0];
		*control = p->control[0];
	} else {
		io_close(&p->data[0]);
		io_close(&p->control[0]);
	}
	return r;
}

static int
spawn(int socket_fd, const struct pairs *pairs, pid_t *pid)
{
	static const char *const words[] = { "qmail-tlsd", "-C", NULL };
	volatile int start_error = 0;
	char **argv = spawn_argv(words);
	struct spawn how = {
		.path = "bin/qmail-tlsd",
		.argv = argv,
		.fds = {socket_fd, pairs->data[1], STDERR_FILENO,
			pairs->control[1]},
		.fd_count = 4,
		.own_group = true,
		.start_error = &start_error
	};
	int r;

	if (argv == NULL)
		return QE_NOMEM;
	r = spawn_program(&how, pid);
	free(argv);
	if (r == 0 && start_error == 0)
		return 0;
	if (r == 0) {
		spawn_kill_group(*pid);
		errno = start_error;
		r = errno == ENOENT ? QE_ABSENT : QE_SYS;
	}
	*pid = -1;
	return r;
}

/* A process of our own. */
static int
run(int socket_fd, struct tls_client *out, int *control)
{
	struct pairs pairs;
	int r = make_pairs(&pairs);

	if (r != 0)
		return r;
	return keep_ours(
	    &pairs, spawn(socket_fd, &pairs, &out->pid), out, control);
}

static int
wait_for_yes(int control, int64_t end_ms)
{
	int64_t wait_ms = clock_mono_ms() + TLS_CLIENT_ORDER_MS;
	char answer = ORDER_NO;
	int r = io_wait(control, POLLIN, wait_ms < end_ms ? wait_ms : end_ms);

	if (r == 0 && io_read(control, &answer, 1) != 1)
		r = QE_EOF;
	return r == 0 && answer != ORDER_YES ? QE_EOF : r;
}

/*
 * One that is forked for it.  Nothing has been asked for before ORDER_YES has
 * come, so whoever takes the order later than we wait finds our end closed, and
 * leaves the socket alone.
 */
static int
order(int place, int socket_fd, int64_t end_ms, struct tls_client *out,
    int *control)
{
	struct tls_order o = {
		.mode = ORDER_NOW, .net_in = socket_fd, .net_out = socket_fd
	};
	struct pairs pairs;
	int r = make_pairs(&pairs);

	if (r != 0)
		return r;
	o.data = pairs.data[1];
	o.control = pairs.control[1];
	r = tls_way_post(place, &o);
	/* With his ends in nobody's hand but his we hear of his death. */
	r = keep_ours(&pairs, r, out, control);
	if (r == 0)
		r = wait_for_yes(*control, end_ms);
	if (r != 0) {
		io_close(control);
		io_close(&out->fd);
	}
	return r;
}

static int
outcome_of(struct tls_client *t)
{
	struct strv name = strv_of(t->facts.outcome);

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++)
		if (strv_eq(name, strv_of(outcomes[i].name))) {
			t->verified = strv_eq(name, STRV("verified"));
			return outcomes[i].result;
		}
	return QE_CORRUPT;
}

/* A sentence for every failure, where qmail-tlsd has said none itself. */
static void
explain(struct tls_client *t, int r)
{
	static const char gone[] = "qmail-tlsd ended without a word";

	if (r == 0 || t->facts.error[0] != '\0')
		return;
	if (r == QE_ABSENT)
		snprintf(t->facts.error, sizeof(t->facts.error),
		    "unable to run bin/qmail-tlsd: it does not exist");
	else
		snprintf(t->facts.error, sizeof(t->facts.error), "%s",
		    r == QE_EOF ? gone : error_result_text(r));
}

/* The orders go out, the verdict comes in. */
static int
negotiate(
    struct tls_client *t, int control, struct strv request, int64_t deadline_ms)
{
	int r = io_write_all(control, request.ptr, request.len);

	if (r == 0)
		r = tls_facts_read(control, deadline_ms, &t->facts);
	return r == 0 ? outcome_of(t) : r;
}

int
tls_client_start(int socket_fd, const struct tls_client_request *request,
    struct tls_client *out)
{
	struct buf text = BUF_LIMIT(TLS_CLIENT_REQUEST_MAX);
	int64_t end = request->deadline_ms == IO_FOREVER
			  ? IO_FOREVER
			  : request->deadline_ms + GRACE_MS;
	int control = -1;
	int r = QE_LIMIT;

	memset(out, 0, sizeof(*out));
	out->fd = -1;
	out->pid = -1;
	if (is_sound(request)) {
		tls_client_encode(request, clock_mono_ms(), &text);
		r = text.err;
	}
	if (r == 0 && (request->place == 0 || order(request->place, socket_fd,
						  end, out, &control) != 0))
		r = run(socket_fd, out, &control);
	if (r == 0)
		r = negotiate(out, control, buf_view(&text), end);
	io_close(&control);
	buf_free(&text);
	explain(out, r);
	if (r != 0)
		tls_client_end(out);
	return r;
}

void
tls_client_end(struct tls_client *t)
{
	int status;

	io_close(&t->fd);
	if (t->pid > 0 &&
	    spawn_wait_until(
		t->pid, clock_mono_ms() + TLS_CLIENT_END_MS, &status) != 0)
		spawn_kill_group(t->pid);
	t->pid = -1;
}
