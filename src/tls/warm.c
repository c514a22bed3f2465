/*
 * Handshakes in memory, with no peer but ourselves: OpenSSL looks algorithms
 * up, and builds tables, when it first needs them.
 */
#include "tls/warm.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

enum { WARM_SECONDS = 3600 }; /* a certificate is good for */

/* Both sides in turn, through memory, until neither gets any further. */
static void
warm_pair(SSL *server, SSL *client)
{
	BIO *a = NULL, *b = NULL;

	if (BIO_new_bio_pair(&a, 65536, &b, 65536) != 1)
		return;
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 8; i++) {
		char byte = '\0';

		SSL_do_handshake(client);
		SSL_do_handshake(server);
		if (SSL_is_init_finished(client) &&
		    SSL_is_init_finished(server)) {
			SSL_write(client, &byte, 1);
			SSL_read(server, &byte, 1);
			SSL_write(server, &byte, 1);
			SSL_read(client, &byte, 1);
			break;
		}
	}
}

/* One connection, which resumes a session if there is one; the next one. */
static SSL_SESSION *
warm_once(SSL_CTX *server_ctx, SSL_CTX *client_ctx, SSL_SESSION *session)
{
	SSL *server = SSL_new(server_ctx);
	SSL *client = SSL_new(client_ctx);

	if (server != NULL && client != NULL) {
		if (session != NULL)
			SSL_set_session(client, session);
		SSL_SESSION_free(session);
		warm_pair(server, client);
		session = SSL_get1_session(client);
		/* A session of a connection that broke is not resumed. */
		SSL_set_shutdown(
		    client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	}
	SSL_free(server);
	SSL_free(client);
	return session;
}

void
warm_server(SSL_CTX *server_ctx)
{
	SSL_CTX *client_ctx = SSL_CTX_new(TLS_client_method());
	SSL_SESSION *session = NULL;

	if (client_ctx != NULL) {
		session = warm_once(server_ctx, client_ctx, session);
		session = warm_once(server_ctx, client_ctx, session);
	}
	SSL_SESSION_free(session);
	SSL_CTX_free(client_ctx);
	ERR_clear_error();
}

/* Names nobody, vouches for nothing, and never leaves this process. */
static X509 *
make_certificate(EVP_PKEY *key)
{
	X509 *cert = X509_new();

	if (cert != NULL &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), 0) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), WARM_SECONDS) != NULL &&
	    X509_set_pubkey(cert, key) == 1 &&
	    X509_sign(cert, key, EVP_sha256()) > 0)
		return cert;
	X509_free(cert);
	return NULL;
}

void
warm_client(SSL_CTX *client_ctx)
{
	SSL_CTX *server_ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key == NULL ? NULL : make_certificate(key);

	if (server_ctx != NULL && cert != NULL &&
	    SSL_CTX_use_certificate(server_ctx, cert) == 1 &&
	    SSL_CTX_use_PrivateKey(server_ctx, key) == 1)
		SSL_SESSION_free(warm_once(server_ctx, client_ctx, NULL));
	X509_free(cert);
	EVP_PKEY_free(key);
	SSL_CTX_free(server_ctx);
	ERR_clear_error();
}
