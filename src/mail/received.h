/* The Received field of the network servers (RFC 5321 section 4.4). */
#ifndef MAIL_RECEIVED_H
#define MAIL_RECEIVED_H

#include "base/buf.h"

#include <stdint.h>

struct received {
	struct strv remote_host; /* empty: unknown */
	struct strv remote_ip;
	struct strv remote_info; /* empty: left out */
	struct strv local_host;
	struct strv helo;     /* empty: left out */
	struct strv protocol; /* RFC 3848: SMTP, ESMTP, ESMTPSA, QMTP ... */
	struct strv tls;      /* comment: protocol and cipher; may be empty */
	int64_t time;
};

/* Both lines, each ended by LF; foreign bytes become '?'. */
void received_add(struct buf *out, const struct received *r);

#endif
