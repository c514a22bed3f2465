/*
 * Handshakes and what follows, as qmailt in an empty root directory, with no
 * way to open anything.  The key was read before, by the process this one was
 * forked from.  Of a connection nothing is left when the next one comes, and a
 * process that has met a peer who breaks the rules does not meet another.
 */
#include "tls/serve.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/log.h"
#include "tls/wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
	FD_ORDERS = JAIL_FD, /* after jail_keep */
	SUBJECT_MAX = 511    /* bytes of a client's name; longer is none */
};

/* The certificate of the name that the client asked for, if there is one. */
static int
choose(SSL *ssl, int *alert, void *data)
{
	const struct store *store = data;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx = name == NULL ? NULL : store_find(store, name);

	(void)alert;
	if (ctx != NULL)
		SSL_set_SSL_CTX(ssl, ctx);
	return SSL_TLSEXT_ERR_OK;
}

static void
say_failure(const struct tls_order *order, int result)
{
	char reason[CONTEXT_TEXT_MAX];
	struct buf text = BUF_LIMIT(1000);

	context_reason(reason, "the client hung up");
	if (result == QE_TIMEOUT || result == QE_SYS)
		snprintf(
		    reason, sizeof(reason), "%s", error_result_text(result));
	buf_addf(&text, "no TLS with %s: %s",
	    order->peer[0] == '\0' ? "client" : order->peer, reason);
	log_line(STDERR_FILENO, "qmail-tls", buf_view(&text));
	buf_free(&text);
}

static void
add_fact(struct buf *out, const char *name, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	buf_add_str(out, name);
	buf_add_char(out, '=');
	buf_add_str(out, value);
	buf_add_char(out, '\0');
}

/* Only of a certificate that one of control/clientca.pem vouches for. */
static void
add_client(struct buf *out, const SSL *ssl)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	BIO *text;
	char *bytes = NULL;
	long n;

	if (cert == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
		return;
	text = BIO_new(BIO_s_mem());
	if (text == NULL)
		return;
	X509_NAME_print_ex(text, X509_get_subject_name(cert), 0,
	    XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
	n = BIO_get_mem_data(text, &bytes);
	if (n > 0 && n <= SUBJECT_MAX) {
		buf_add_str(out, "SSL_CLIENT_S_DN=");
		buf_add(out, bytes, (size_t)n);
		buf_add_char(out, '\0');
	}
	BIO_free(text);
}

static void
add_facts(struct buf *out, const SSL *ssl)
{
	add_fact(out, "SSL_PROTOCOL", SSL_get_version(ssl));
	add_fact(out, "SSL_CIPHER", SSL_get_cipher(ssl));
	add_fact(out, "SSL_TLS_SNI_SERVERNAME",
	    SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
	add_client(out, ssl);
	buf_add_char(out, '\0');
}

static void
go_to_jail(const struct serve *serve, int orders)
{
	if (jail_keep(&orders, 1) != 0 || jail_enter(&serve->jail) != 0)
		die_errno(
		    EX_TEMPORARY, "unable to give up rights (%s)", JAIL_DIR);
	if (jail_lock(false) != 0)
		die_errno(EX_TEMPORARY, "unable to filter system calls");
}

/* The mail server's last words in clear, which make the client begin. */
static bool
say_words(const struct tls_order *order, int64_t deadline_ms)
{
	size_t done = 0;

	while (done < order->words_len) {
		ssize_t n = write(order->net_out, order->words + done,
		    order->words_len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
			 io_wait(order->net_out, POLLOUT, deadline_ms) != 0)
			return false;
	}
	return true;
}

/* Until the client says something, or the mail server is gone. */
static void
wait_for_client(const struct tls_order *order, int64_t deadline_ms)
{
	struct pollfd p[2] = {
		{.fd = order->net_in, .events = POLLIN},
		{ .fd = order->data,  .events = 0     }
	};
	int64_t left_ms = deadline_ms - clock_mono_ms();

	if (left_ms > 0)
		(void)poll(p, 2, (int)left_ms);
}

/* A mail server that reads data itself gets the facts there. */
static bool
relay(struct wire *wire, struct tls_order *order, bool is_told_on_data)
{
	struct buf text = BUF_LIMIT(WIRE_FIRST_MAX);
	bool ok;

	if (is_told_on_data)
		buf_add_char(&text, ORDER_YES);
	if (order->mode != ORDER_MUTE)
		add_facts(&text, wire->ssl);
	if (text.err != 0) {
		buf_free(&text);
		return false;
	}
	if (!is_told_on_data) {
		(void)io_write_all(order->control, text.data, text.len);
		io_close(&order->control);
		buf_reset(&text);
	}
	ok = wire_relay(wire, buf_view(&text));
	buf_free(&text);
	return ok;
}

/* True if it went well to its end. */
static bool
speak(struct wire *wire, struct tls_order *order, int64_t deadline_ms)
{
	bool is_told_on_data = order->mode == ORDER_SOON;
	int r;

	if (is_told_on_data) {
		if (!say_words(order, deadline_ms))
			return false;
		wait_for_client(order, deadline_ms);
	}
	r = wire_handshake(wire, deadline_ms);
	if (r != 0) {
		say_failure(order, r);
		return false;
	}
	wire->peer_is_next = order->words_len > 0;
	return relay(wire, order, is_told_on_data);
}

static bool
serve_one(const struct serve *serve, struct tls_order *order)
{
	int64_t deadline_ms = clock_deadline(serve->seconds);
	struct wire wire = { .net_in = order->net_in,
		.net_out = order->net_out,
		.data = order->data };
	bool ok;

	wire.ssl = SSL_new(serve->store->everybody.ctx);
	if (wire.ssl == NULL || wire_init(&wire) != 0)
		die(EX_TEMPORARY, "unable to prepare a handshake");
	SSL_set_accept_state(wire.ssl);
	ok = speak(&wire, order, deadline_ms);
	SSL_free(wire.ssl);
	ERR_clear_error();
	return ok;
}

_Noreturn void
serve_run(const struct serve *serve, int orders)
{
	SSL_CTX *ctx = serve->store->everybody.ctx;
	const char done = '.';

	SSL_CTX_set_tlsext_servername_callback(ctx, choose);
	SSL_CTX_set_tlsext_servername_arg(ctx, serve->store);
	go_to_jail(serve, orders);
	for (;;) {
		struct tls_order order;
		bool ok;

		if (order_wait(FD_ORDERS, &order) != 0)
			_exit(0);
		ok = serve_one(serve, &order);
		order_close(&order);
		explicit_bzero(&order, sizeof(order));
		if (!ok || io_write_all(FD_ORDERS, &done, 1) != 0)
			_exit(0);
	}
}
