/* What qmail-remote asks of the client role, as it came over the pipe. */
#ifndef TLS_REQUEST_H
#define TLS_REQUEST_H

#include "base/buf.h"
#include "smtp/tls_client.h"

struct request_tlsa {
	unsigned char usage, selector, matching;
	size_t pos, len; /* in request.bytes */
};

struct request {
	enum tls_level level;
	uint64_t timeout_ms;
	char ca_file[4096]; /* empty: the system's */
	char names[TLS_CLIENT_NAMES_MAX][256];
	size_t name_count;
	struct request_tlsa tlsa[TLS_CLIENT_TLSA_MAX];
	size_t tlsa_count;
	struct buf bytes; /* of all records; owned */
};

enum { REQUEST_TIMEOUT_MAX = 86400000 }; /* milliseconds */

/*
 * The text that tls_client_encode makes, without its last, empty string.  0;
 * QE_SYNTAX for whatever it would not have made; QE_NOMEM.  Either way the
 * caller clears it.
 */
int request_decode(struct request *r, struct strv text);
void request_clear(struct request *r);

#endif
