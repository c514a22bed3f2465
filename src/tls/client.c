/*
 * The other end of smtp/tls_client.c.  Runs as qmailr, with no rights to give
 * up; files are read before the handshake, except those of the system's
 * authorities, which OpenSSL looks up one by one (mode verify without
 * control/cafile).
 */
#include "tls/client.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/error.h"
#include "base/exitcode.h"
#include "base/io.h"
#include "base/net.h"
#include "conf/control.h"
#include "tls/context.h"
#include "tls/jail.h"
#include "tls/request.h"
#include "tls/wire.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	FD_CONTROL_FIRST = 3, /* as it is inherited */
	FD_CONTROL = JAIL_FD, /* after jail_keep */
	FD_DATA,
	FD_NET,
	FDS = 3,
	REQUEST_SECONDS = 20, /* for qmail-remote to say what it wants */
	PKIX_EE = 1           /* it and smaller usages count for no mail */
};

struct client {
	struct request request;
	SSL_CTX *ctx;
	struct wire wire;
	bool matters; /* the certificate does */
	char why[CONTEXT_TEXT_MAX];
};

static int
read_request(struct client *c)
{
	int64_t deadline = clock_deadline(REQUEST_SECONDS);
	struct buf text = BUF_LIMIT(TLS_CLIENT_REQUEST_MAX);
	int r = 0;

	/* Up to the empty string: a NUL behind a NUL. */
	while (r == 0 && !(text.len >= 2 && text.data[text.len - 1] == '\0' &&
			     text.data[text.len - 2] == '\0')) {
		char bytes[4096];
		ssize_t got;

		r = io_wait(FD_CONTROL, POLLIN, deadline);
		if (r != 0)
			break;
		got = io_read(FD_CONTROL, bytes, sizeof(bytes));
		if (got <= 0)
			r = QE_EOF;
		else
			buf_add(&text, bytes, (size_t)got);
		if (r == 0)
			r = text.err;
	}
	if (r == 0)
		r = request_decode(
		    &c->request, strv_from(text.data, text.len - 1));
	buf_free(&text);
	return r;
}

static void
tell(const struct client *c, const char *outcome, const char *error)
{
	struct buf text = BUF_LIMIT(4096);
	const char *const facts[] = { "SSL_PROTOCOL",
		c->wire.ssl == NULL ? "" : SSL_get_version(c->wire.ssl),
		"SSL_CIPHER",
		c->wire.ssl == NULL ? "" : SSL_get_cipher(c->wire.ssl),
		"QMAILTLS_OUTCOME", outcome, "QMAILTLS_ERROR", error };

	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i += 2) {
		if (facts[i + 1] == NULL || *facts[i + 1] == '\0')
			continue;
		buf_add_str(&text, facts[i]);
		buf_add_char(&text, '=');
		buf_add_str(&text, facts[i + 1]);
		buf_add_char(&text, '\0');
	}
	buf_add_char(&text, '\0');
	if (text.err == 0)
		(void)io_write_all(FD_CONTROL, text.data, text.len);
	buf_free(&text);
}

static _Noreturn void
give_up(const struct client *c, const char *outcome, const char *error)
{
	tell(c, outcome, error);
	_exit(EX_TEMPORARY);
}

/*
 * Whoever we trust to vouch for names.  Not OpenSSL's default store: it would
 * list the whole directory at an issuer that is not there, which the filter of
 * system calls forbids, and find no more than the names made of hashes.
 */
static bool
load_authorities(struct client *c)
{
	if (c->request.ca_file[0] == '\0')
		return SSL_CTX_set_default_verify_file(c->ctx) == 1 &&
		       SSL_CTX_set_default_verify_dir(c->ctx) == 1;
	if (SSL_CTX_load_verify_file(c->ctx, c->request.ca_file) == 1)
		return true;
	context_reason(c->why, "no certificate in it");
	return false;
}

static bool
is_literal(const char *name)
{
	struct ipaddr ip;

	return ipaddr_parse(strv_of(name), &ip) == 0;
}

static bool
expect_names(struct client *c)
{
	SSL *ssl = c->wire.ssl;

	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < c->request.name_count; i++)
		if (SSL_add1_host(ssl, c->request.names[i]) != 1)
			return false;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	c->matters = true;
	return true;
}

/*
 * RFC 7672: usages 0 and 1 are of no use for mail.  If nothing else is there,
 * the connection is encrypted and nobody is authenticated (section 2.2).
 */
static bool
expect_records(struct client *c)
{
	const struct request *q = &c->request;
	SSL *ssl = c->wire.ssl;
	int usable = 0;

	if (SSL_CTX_dane_enable(c->ctx) != 1 ||
	    SSL_dane_enable(ssl, q->names[0]) != 1)
		return false;
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 0; i < q->tlsa_count; i++) {
		const struct request_tlsa *t = &q->tlsa[i];

		if (t->usage > PKIX_EE &&
		    SSL_dane_tlsa_add(ssl, t->usage, t->selector, t->matching,
			(const unsigned char *)q->bytes.data + t->pos,
			t->len) > 0)
			usable++;
	}
	ERR_clear_error(); /* records that are none are passed over */
	if (usable == 0)
		return true;
	for (size_t i = 1; i < q->name_count; i++)
		if (SSL_add1_host(ssl, q->names[i]) != 1)
			return false;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	c->matters = true;
	return true;
}

static bool
expect(struct client *c)
{
	switch (c->request.level) {
	case TLS_LEVEL_NONE:
	case TLS_LEVEL_MAY:
	case TLS_LEVEL_ENCRYPT:
		return true;
	case TLS_LEVEL_VERIFY:
		return expect_names(c);
	case TLS_LEVEL_DANE:
		return expect_records(c);
	}
	return false;
}

void
client_ciphers(struct buf *out)
{
	struct control_error err;

	if (control_line(CTL_TLSCLIENTCIPHERS, out, &err) != 0)
		buf_reset(out);
}

static void
find_context(struct client *c)
{
	struct buf ciphers = BUF_LIMIT(CLIENT_CIPHERS_MAX);

	client_ciphers(&ciphers);
	context_begin();
	c->ctx = context_client(buf_view(&ciphers), c->why);
	buf_free(&ciphers);
	if (c->ctx == NULL)
		give_up(c, "config", c->why);
}

static void
prepare(struct client *c)
{
	const char *first = c->request.names[0];

	if (c->ctx == NULL)
		find_context(c);
	if (c->request.level == TLS_LEVEL_VERIFY && !load_authorities(c)) {
		char text[CONTEXT_TEXT_MAX + 64];

		snprintf(text, sizeof(text), "unable to use %.120s: %.120s",
		    c->request.ca_file, c->why);
		give_up(c, "config", text);
	}
	c->wire.ssl = SSL_new(c->ctx);
	if (c->wire.ssl == NULL || !expect(c) || wire_init(&c->wire) != 0)
		give_up(c, "nomem", "unable to prepare a handshake");
	/* No name, or an address: nothing to ask for. */
	if (c->request.name_count > 0 && !is_literal(first))
		(void)SSL_set_tlsext_host_name(c->wire.ssl, first);
	SSL_set_connect_state(c->wire.ssl);
}

/* Why it failed, as qmail-remote reports it. */
static _Noreturn void
report_failure(struct client *c, int result)
{
	long verdict = SSL_get_verify_result(c->wire.ssl);
	char text[2 * CONTEXT_TEXT_MAX];

	context_reason(c->why, "the server hung up");
	if (c->matters && result == QE_SYNTAX && verdict != X509_V_OK) {
		snprintf(text, sizeof(text), "%s: %s", c->why,
		    X509_verify_cert_error_string(verdict));
		give_up(c, "denied", text);
	}
	if (result == QE_TIMEOUT)
		give_up(c, "timeout", "the handshake took too long");
	give_up(c, result == QE_SYNTAX ? "protocol" : "gone", c->why);
}

static void
lock_up(struct client *c)
{
	const struct jail nowhere = { .is_root = false };
	bool may_open = c->request.level == TLS_LEVEL_VERIFY &&
			c->request.ca_file[0] == '\0';

	if (jail_enter(&nowhere) != 0 || jail_lock(may_open) != 0)
		give_up(c, "config", "unable to filter system calls");
}

/* With descriptors in their places. */
static void
converse(SSL_CTX *ctx)
{
	struct client c = {
		.ctx = ctx,
		.wire = {.net_in = FD_NET, .net_out = FD_NET, .data = FD_DATA}
	};
	int64_t deadline;
	int r = read_request(&c);

	/* Nobody is there any more. */
	if (r == QE_EOF)
		_exit(EX_TEMPORARY);
	if (r != 0)
		give_up(&c, "config", "qmail-tlsd: not a request");
	deadline = clock_mono_ms() + (int64_t)c.request.timeout_ms;
	prepare(&c);
	/* The validity of certificates is a matter of time, and the C library
	 * opens a file for its zone first; later it could not. */
	tzset();
	lock_up(&c);
	r = wire_handshake(&c.wire, deadline);
	if (r != 0)
		report_failure(&c, r);
	tell(&c, c.matters ? "verified" : "ok", "");
	close(FD_CONTROL);
	wire_relay(&c.wire, STRV(""));
}

static void
keep(int control, int data, int net)
{
	const int fds[FDS] = { control, data, net };

	if (jail_keep(fds, FDS) != 0)
		die_errno(EX_TEMPORARY, "unable to order descriptors");
}

int
client_run(void)
{
	keep(FD_CONTROL_FIRST, STDOUT_FILENO, STDIN_FILENO);
	converse(NULL);
	return 0;
}

_Noreturn void
client_take(const struct tls_order *order, SSL_CTX *ctx)
{
	const char yes = ORDER_YES;

	keep(order->control, order->data, order->net_in);
	if (io_write_all(FD_CONTROL, &yes, 1) == 0)
		converse(ctx);
	_exit(0);
}
