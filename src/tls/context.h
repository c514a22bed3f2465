/*
 * OpenSSL's settings: what is spoken, and with which key.  Everything that
 * can be looked up once is looked up here, before any process is forked.
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include "base/buf.h"
#include "tls/tickets.h"

#include <openssl/ssl.h>

enum {
	CONTEXT_PEM_MAX = 256 << 10, /* bytes of key and chain */
	CONTEXT_TEXT_MAX = 256
};

/* Kept by the caller as long as contexts made with it. */
struct context_settings {
	struct buf ciphers;      /* for TLS 1.2; empty: the built-in list */
	struct buf client_ca;    /* PEM; empty: clients are not asked */
	struct tickets *tickets; /* for the server role */
	EVP_CIPHER *ticket_cipher;
};

/* Once per process, first of all, and before the sandbox. */
void context_begin(void);

/*
 * A server's context from the bytes of a PEM file: private key, certificate,
 * rest of the chain.  NULL, and why, if it cannot be used.
 */
SSL_CTX *context_server(struct context_settings *settings, struct strv pem,
    char why[CONTEXT_TEXT_MAX]);
/* A client's: no certificate is asked for yet.  NULL without memory. */
SSL_CTX *context_client(struct strv ciphers, char why[CONTEXT_TEXT_MAX]);

/* OpenSSL's reason for the last failure, or fallback; its queue is emptied. */
void context_reason(char out[CONTEXT_TEXT_MAX], const char *fallback);

#endif
