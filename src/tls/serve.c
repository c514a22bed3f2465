/*
 * One handshake and what follows, as qmailt in an empty root directory, with
 * no way to open anything.  The key was read before, by the process this one
 * was forked from.
 */
#include "tls/serve.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/log.h"
#include "tls/wire.h"

#include <openssl/x509.h>
#include <unistd.h>

/* What jail_keep makes of the descriptors of an order. */
enum {
	FD_CONTROL = JAIL_FD,
	FD_DATA,
	FD_IN,
	FD_OUT,
	FDS = 4,
	SUBJECT_MAX = 511 /* bytes of a client's name; a longer one is none */
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
tell_facts(const SSL *ssl)
{
	struct buf text = BUF_LIMIT(4096);

	add_fact(&text, "SSL_PROTOCOL", SSL_get_version(ssl));
	add_fact(&text, "SSL_CIPHER", SSL_get_cipher(ssl));
	add_fact(&text, "SSL_TLS_SNI_SERVERNAME",
	    SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
	add_client(&text, ssl);
	buf_add_char(&text, '\0');
	if (text.err == 0)
		(void)io_write_all(FD_CONTROL, text.data, text.len);
	buf_free(&text);
}

static void
go_to_jail(const struct serve *serve, const struct tls_order *order)
{
	const int fds[FDS] = { order->control, order->data, order->net_in,
		order->net_out };

	if (jail_keep(fds, FDS) != 0 || jail_enter(&serve->jail) != 0)
		die_errno(
		    EX_TEMPORARY, "unable to give up rights (%s)", JAIL_DIR);
}

_Noreturn void
serve_run(const struct serve *serve, const struct tls_order *order, bool tell)
{
	SSL_CTX *ctx = serve->store->everybody.ctx;
	struct wire wire = { .ssl = serve->ssl,
		.net_in = FD_IN,
		.net_out = FD_OUT,
		.data = FD_DATA };
	int r;

	SSL_CTX_set_tlsext_servername_callback(ctx, choose);
	SSL_CTX_set_tlsext_servername_arg(ctx, serve->store);
	go_to_jail(serve, order);
	if (wire_init(&wire) != 0)
		die(EX_TEMPORARY, "unable to prepare a handshake");
	SSL_set_accept_state(wire.ssl);
	if (jail_lock(false) != 0)
		die_errno(EX_TEMPORARY, "unable to filter system calls");
	r = wire_handshake(&wire, clock_deadline(serve->seconds));
	if (r != 0) {
		say_failure(order, r);
		_exit(EX_TEMPORARY);
	}
	if (tell)
		tell_facts(wire.ssl);
	close(FD_CONTROL);
	wire_relay(&wire);
	_exit(0);
}
