/* The client role: TLS for one connection of qmail-remote. */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "base/buf.h"
#include "smtp/tls_order.h"

#include <openssl/ssl.h>

/*
 * Socket on 0, plain bytes on 1, request and verdict on 3 (see
 * smtp/tls_client.h).  The exit code of the process.
 */
int client_run(void);
/*
 * The same in a process that was forked for it, with the descriptors of an
 * order; it says ORDER_YES and then waits for the request, so an order that
 * nobody waits for any more does no harm.  ctx is that of context_client, or
 * NULL to begin from nothing.
 */
_Noreturn void client_take(const struct tls_order *order, SSL_CTX *ctx);

enum { CLIENT_CIPHERS_MAX = 1000 /* bytes */ };
/* What control/tlsclientciphers says, or nothing. */
void client_ciphers(struct buf *out);

#endif
