/*
 * The digests of SASL, computed by a program of their own, qmail-digest(8):
 * qmail-remote itself links no cryptography and starts quickly for it.
 */
#ifndef REMOTE_DIGESTS_H
#define REMOTE_DIGESTS_H

#include "smtp/sasl_client.h"

enum {
	DIGESTS_REQUEST_MAX = 65536,
	DIGESTS_ANSWER_MAX = 1024,
	DIGESTS_FIELDS_MAX = 5
};

struct digests_helper {
	int64_t timeout_ms;
};

/* helper is lent.  The home is the working directory. */
struct sasl_client_digests digests_by_helper(struct digests_helper *helper);

#endif
