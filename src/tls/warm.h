/*
 * Whatever OpenSSL looks up or builds at the first handshake is then there for
 * all processes that are forked afterwards.  What fails is met again later.
 */
#ifndef TLS_WARM_H
#define TLS_WARM_H

#include <openssl/ssl.h>

/* A full and a resumed handshake. */
void warm_server(SSL_CTX *server);
/* One with a key of the moment, which is thrown away. */
void warm_client(SSL_CTX *client);

#endif
