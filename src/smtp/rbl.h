/*
 * What rblsmtpd knows of lists of addresses in the DNS (RFC 5782): names to
 * ask for, and what the answers mean.  No sockets here.
 */
#ifndef SMTP_RBL_H
#define SMTP_RBL_H

#include "base/dns_batch.h"
#include "base/net.h"

#include <stdbool.h>

enum {
	RBL_SOURCES_MAX = 48,
	RBL_TEXT_MAX = 200 /* bytes that a client and the log are told */
};

struct rbl_source {
	bool is_anti;     /* -a: who is listed there is not blocked */
	struct strv zone; /* borrowed from the option */
	struct strv text; /* said to the client; A records are asked for */
	bool
	    asks_address; /* there is a text; else the TXT record is the text */
};

struct rbl_policy {
	bool permanent; /* -b: 553 for listed ones, not 451 */
	bool closed;    /* -c: in doubt they are listed */
};

enum rbl_kind {
	RBL_CLEAN,  /* not listed, or on an anti-RBL */
	RBL_LISTED, /* block */
	RBL_DOUBT   /* a look-up failed, and the policy is to block then */
};

struct rbl_verdict {
	enum rbl_kind kind;
	int code; /* 451 or 553, unless clean */
	char text[RBL_TEXT_MAX + 1];
};

/* "zone" or "zone:text".  0, or QE_SYNTAX. */
int rbl_source_parse(struct strv option, bool is_anti, struct rbl_source *out);

/* "1.2.0.192.zone", or the nibbles of an IPv6 address; out->err if too long. */
void rbl_name(const struct ipaddr *ip, struct strv zone, struct buf *out);

/*
 * What an answer says: 0 (listed), QE_ABSENT (not listed), or another code
 * where the source said nothing that could be used.  Addresses in
 * 127.255.255.0/24 are a source's word for trouble, and what is not in
 * 127.0.0.0/8 is no listing but somebody's wildcard.
 */
int rbl_answer(const struct rbl_source *source, const struct dns_question *q);

/*
 * Goes through the sources in their order.  True if the answers that are
 * there decide; is_over: there will be no more of them, and what is missing
 * has failed.
 */
bool rbl_decide(const struct rbl_source *sources,
    const struct dns_question *questions, size_t count,
    const struct rbl_policy *policy, bool is_over, struct strv ip,
    struct rbl_verdict *out);

/*
 * Fills a text for clients and logs: %IP% becomes the address, what is no
 * printable ASCII '?'; cut at RBL_TEXT_MAX bytes.
 */
void rbl_text(struct strv text, struct strv ip, char out[RBL_TEXT_MAX + 1]);

#endif
