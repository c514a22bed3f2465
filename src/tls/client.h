/* The client role: TLS for one connection of qmail-remote. */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

/*
 * Socket on 0, plain bytes on 1, request and verdict on 3 (see
 * smtp/tls_client.h).  The exit code of the process.
 */
int client_run(void);

#endif
