/*
 * TLS as a neighbour, the client's side: qmail-remote hands its connected
 * socket to qmail-tlsd in the client role, which does the handshake, judges
 * the certificate and carries the bytes.  We keep one plain descriptor.
 */
#ifndef SMTP_TLS_CLIENT_H
#define SMTP_TLS_CLIENT_H

#include "base/buf.h"
#include "smtp/tls_facts.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a connection must give; each asks more than the one before. */
enum tls_level {
	TLS_LEVEL_NONE,    /* never TLS; tls_client_start refuses it */
	TLS_LEVEL_MAY,     /* any certificate; the caller may go on in clear */
	TLS_LEVEL_ENCRYPT, /* any certificate; the caller may not */
	TLS_LEVEL_VERIFY,  /* a chain to a CA we trust and one of the names */
	TLS_LEVEL_DANE     /* a TLSA record matches (RFC 7672) */
};

enum {
	TLS_CLIENT_NAMES_MAX = 8,
	TLS_CLIENT_TLSA_MAX = 32,
	TLS_CLIENT_REQUEST_MAX = 65536, /* bytes of it all */
	TLS_CLIENT_END_MS = 2000,       /* for the last bytes to leave */
	TLS_CLIENT_ORDER_MS = 10000     /* for an order to be taken */
};

/* A TLSA record (RFC 6698 section 2.1); data is borrowed. */
struct tls_tlsa {
	unsigned char usage, selector, matching;
	struct strv data; /* raw bytes, not hex */
};

/* All borrowed for the call only. */
struct tls_client_request {
	enum tls_level level;
	/* Names in the certificate of which one must be there (verify, and
	 * dane with usage DANE-TA).  The first is also sent as SNI: for DANE
	 * the TLSA base domain, else the host as it was routed to.  No dot at
	 * the end, A-labels.  An address literal is not sent. */
	const struct strv *names;
	size_t name_count;
	/* For verify: certificates of CAs, PEM, relative to the home or
	 * absolute; NULL: those of the system. */
	const char *ca_file;
	const struct tls_tlsa *tlsa; /* for dane */
	size_t tlsa_count;
	int64_t deadline_ms; /* of the handshake */
	/* Where a process that has OpenSSL ready takes orders (tls_way_post);
	 * 0: nowhere, and one is started. */
	int place;
};

struct tls_client {
	int fd;    /* clear text, both ways; a close-on-exec socket */
	pid_t pid; /* of qmail-tlsd, if it is our child; or -1 */
	bool verified;
	struct tls_facts facts; /* protocol, cipher; error after a failure */
};

/*
 * Runs the handshake on a connected socket.  The caller closes its own copy
 * of the socket afterwards, in either case, and says EHLO anew.
 *
 * 0, and the caller ends it with tls_client_end().  Else a negative code,
 * nothing is left running, and facts.error is a sentence for the report
 * ("certificate verify failed: self-signed certificate"): QE_DENIED (the
 * certificate does not do), QE_SYNTAX (no agreement with the server), QE_EOF
 * (the server hung up), QE_TIMEOUT, QE_LIMIT (request too large), QE_ABSENT
 * (no qmail-tlsd), QE_SYS, QE_NOMEM.
 */
int tls_client_start(int socket_fd, const struct tls_client_request *request,
    struct tls_client *out);
/* Closes fd and waits for qmail-tlsd, if it is our child, at most
 * TLS_CLIENT_END_MS. */
void tls_client_end(struct tls_client *t);

/* The request as text, for the pipe; for tls_client_start and tests. */
void tls_client_encode(
    const struct tls_client_request *request, int64_t now_ms, struct buf *out);

#endif
