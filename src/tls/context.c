/*
 * What is spoken: TLS 1.2 and 1.3, no renegotiation, no compression, forward
 * secrecy first.  The private key is in memory here and in the processes that
 * do handshakes, and nowhere else.
 */
#include "tls/context.h"
#include "base/error.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Mail prefers any encryption to none, so RSA key exchange is still there. */
static const char default_ciphers[] =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:"
    "RSA+AESGCM:RSA+AES:!aNULL:!eNULL:!MD5:!3DES";

static const char default_groups[] = "X25519:P-256:X448:P-384:P-521";

void
context_begin(void)
{
	/* Dates in certificates: the time zone's file is read at the first. */
	tzset();
	OPENSSL_init_ssl(
	    OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
}

void
context_reason(char out[CONTEXT_TEXT_MAX], const char *fallback)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

	ERR_clear_error();
	snprintf(
	    out, CONTEXT_TEXT_MAX, "%s", reason == NULL ? fallback : reason);
}

/* A key with a passphrase has nobody here who would type it. */
static int
no_passphrase(char *out, int size, int writing, void *data)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)data;
	return -1;
}

static int
ticket_digest_key(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
	unsigned char copy[TICKET_SECRET];
	char digest[] = "SHA256";
	OSSL_PARAM parameters[3];
	int r;

	memcpy(copy, key->mac, sizeof(copy));
	parameters[0] = OSSL_PARAM_construct_octet_string(
	    OSSL_MAC_PARAM_KEY, copy, sizeof(copy));
	parameters[1] =
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	parameters[2] = OSSL_PARAM_construct_end();
	r = EVP_MAC_CTX_set_params(mac, parameters);
	OPENSSL_cleanse(copy, sizeof(copy));
	return r;
}

/*
 * SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 yes, 2 yes and renew, 0 no.  With
 * TLS 1.3 each connection gets a ticket, as no client should use one twice
 * (RFC 8446 appendix C.4).  It also acknowledges the client's last words of
 * the handshake: else many a client waits 40 ms before it says the next.
 */
static int
ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypting)
{
	const struct context_settings *settings =
	    SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct tickets *tickets = settings->tickets;
	const struct ticket_key *key;

	if (tickets->count == 0)
		return 0;
	if (encrypting) {
		key = &tickets->keys[0];
		memcpy(name, key->name, TICKET_NAME);
		if (RAND_bytes(iv, 16) != 1)
			return -1;
	} else {
		key = tickets_find(tickets, name);
		if (key == NULL)
			return 0;
	}
	if (EVP_CipherInit_ex2(cipher, settings->ticket_cipher, key->cipher, iv,
		encrypting, NULL) != 1 ||
	    ticket_digest_key(mac, key) != 1)
		return -1;
	if (encrypting)
		return 1;
	return key != &tickets->keys[0] || SSL_version(ssl) >= TLS1_3_VERSION
		   ? 2
		   : 1;
}

static bool
set_common(SSL_CTX *ctx, struct strv ciphers)
{
	char list[1024];

	snprintf(list, sizeof(list), STRV_FMT, STRV_ARG(ciphers));
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		     SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* A record is read at once, not its length first. */
	SSL_CTX_set_read_ahead(ctx, 1);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set1_groups_list(ctx, default_groups) == 1 &&
	       SSL_CTX_set_cipher_list(
		   ctx, ciphers.len > 0 ? list : default_ciphers) == 1;
}

static bool
set_tickets(SSL_CTX *ctx, struct context_settings *settings)
{
	if (settings->ticket_cipher == NULL)
		settings->ticket_cipher =
		    EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	SSL_CTX_set_app_data(ctx, settings);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TICKETS_ROTATE);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key);
	return settings->ticket_cipher != NULL &&
	       SSL_CTX_set_session_id_context(
		   ctx, (const unsigned char *)"qmail-tls", 9) == 1;
}

/* A certificate that nobody vouches for is shown, and counts for nothing. */
static int
accept_any(int good, X509_STORE_CTX *store)
{
	(void)good;
	(void)store;
	return 1;
}

/* Clients are asked for a certificate by one of these authorities. */
static bool
set_client_ca(SSL_CTX *ctx, struct strv pem)
{
	BIO *in = BIO_new_mem_buf(pem.ptr, strv_fmt_len(pem));
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	int count = 0;
	X509 *ca;

	while (in != NULL && (ca = PEM_read_bio_X509(
				  in, NULL, no_passphrase, NULL)) != NULL) {
		if (X509_STORE_add_cert(store, ca) == 1 &&
		    SSL_CTX_add_client_CA(ctx, ca) == 1)
			count++;
		X509_free(ca);
	}
	ERR_clear_error(); /* the end of the text is no failure */
	BIO_free(in);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_any);
	return count > 0;
}

static bool
set_key(SSL_CTX *ctx, struct strv pem)
{
	BIO *in = BIO_new_mem_buf(pem.ptr, strv_fmt_len(pem));
	EVP_PKEY *key =
	    in == NULL ? NULL
		       : PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
	bool ok = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	EVP_PKEY_free(key);
	BIO_free(in);
	return ok;
}

/* Nothing more of that kind in the text: not one that is cut or damaged. */
static bool
is_end_of_pem(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM &&
	       ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* The first certificate is ours; what follows vouches for it. */
static bool
set_chain(SSL_CTX *ctx, struct strv pem)
{
	BIO *in = BIO_new_mem_buf(pem.ptr, strv_fmt_len(pem));
	X509 *cert = in == NULL
			 ? NULL
			 : PEM_read_bio_X509(in, NULL, no_passphrase, NULL);
	bool ok = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;

	X509_free(cert);
	while (ok && (cert = PEM_read_bio_X509(
			  in, NULL, no_passphrase, NULL)) != NULL)
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			ok = false;
		}
	ok = ok && is_end_of_pem();
	if (ok)
		ERR_clear_error();
	BIO_free(in);
	return ok;
}

static const char *
fill_server(SSL_CTX *ctx, struct context_settings *settings, struct strv pem)
{
	if (!set_common(ctx, buf_view(&settings->ciphers)))
		return "control/tlsserverciphers names no cipher";
	if (!set_tickets(ctx, settings))
		return "no session tickets";
	SSL_CTX_set_options(
	    ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_dh_auto(ctx, 1);
	if (settings->client_ca.len > 0 &&
	    !set_client_ca(ctx, buf_view(&settings->client_ca)))
		return "control/clientca.pem holds no certificate";
	if (!set_chain(ctx, pem))
		return "no certificate in it, or one that is damaged";
	if (!set_key(ctx, pem))
		return "no private key in it that fits its certificate";
	if (SSL_CTX_check_private_key(ctx) != 1)
		return "its key does not fit its certificate";
	return NULL;
}

SSL_CTX *
context_server(struct context_settings *settings, struct strv pem,
    char why[CONTEXT_TEXT_MAX])
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const char *trouble =
	    ctx == NULL ? "out of memory" : fill_server(ctx, settings, pem);
	char reason[CONTEXT_TEXT_MAX];

	if (trouble == NULL)
		return ctx;
	context_reason(reason, "no reason given");
	snprintf(why, CONTEXT_TEXT_MAX, "%s (%.150s)", trouble, reason);
	SSL_CTX_free(ctx);
	return NULL;
}

SSL_CTX *
context_client(struct strv ciphers, char why[CONTEXT_TEXT_MAX])
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx != NULL && set_common(ctx, ciphers)) {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
		return ctx;
	}
	context_reason(why, "no TLS can be had");
	SSL_CTX_free(ctx);
	return NULL;
}
