/* What a server offers in its answer to EHLO (RFC 5321 section 4.1.1.1). */
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include "base/buf.h"

enum ehlo_extension {
	EHLO_PIPELINING = 1, /* RFC 2920 */
	EHLO_SIZE = 2,       /* RFC 1870 */
	EHLO_8BITMIME = 4,   /* RFC 6152 */
	EHLO_STARTTLS = 8,   /* RFC 3207 */
	EHLO_AUTH = 16       /* RFC 4954 */
};

enum { EHLO_AUTH_MAX = 1024 /* bytes of the methods; others are dropped */ };

struct ehlo {
	unsigned extensions; /* enum ehlo_extension bits */
	uint64_t size_limit; /* SIZE=n; 0: none told */
	struct buf auth;     /* methods, separated by blanks; owned */
};

void ehlo_init(struct ehlo *ehlo);
/* Back to nothing offered; the memory stays. */
void ehlo_reset(struct ehlo *ehlo);
/*
 * Takes a whole reply as reply_read gives it, instead of what was there.  What
 * is not understood is passed over.
 */
void ehlo_parse(struct ehlo *ehlo, struct strv reply);
void ehlo_free(struct ehlo *ehlo);

#endif
