/*
 * DNS messages (RFC 1035, RFC 6891): building a query and reading an answer.
 *
 * No sockets here, so that every answer an attacker can think of can be tried.
 */
#ifndef BASE_DNS_MESSAGE_H
#define BASE_DNS_MESSAGE_H

#include "base/dns.h"

enum {
	DNS_QUERY_MAX = 12 + 255 + 4 + 11, /* header, name, question, OPT */
	DNS_ANSWER_MAX = 65535,
	DNS_TEXT_MAX = 1025,    /* a name, every byte of it escaped */
	DNS_UDP_PAYLOAD = 1232, /* offered with EDNS0: never fragments */
	DNS_CHAIN_MAX = 16      /* aliases followed for one question */
};

enum dns_type {
	DNS_A = 1,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52
};

struct dns_query {
	unsigned char bytes[DNS_QUERY_MAX];
	size_t len;
	unsigned type;           /* enum dns_type */
	char name[DNS_TEXT_MAX]; /* as the library writes it in answers */
};

/* 0, or QE_SYNTAX: not a name that the DNS can hold. */
int dns_query_make(struct strv name, unsigned type, struct dns_query *out);
void dns_query_set_id(struct dns_query *query, unsigned id);
/* Takes the OPT record away, for servers that do not know it. */
void dns_query_strip_edns(struct dns_query *query);

/* What the header of an answer says. */
enum dns_verdict {
	DNS_FOREIGN,   /* not an answer to this query: go on waiting */
	DNS_TRUNCATED, /* ask again by TCP */
	DNS_NO_EDNS,   /* the server wants it without EDNS0 */
	DNS_UNUSABLE,  /* refused, failed, lame: ask another server */
	DNS_GOOD       /* NOERROR or NXDOMAIN */
};

enum dns_verdict dns_answer_judge(
    const struct dns_query *query, const unsigned char *answer, size_t len);

/* True if the server says that it has validated the answer (DNSSEC). */
bool dns_answer_is_secure(const unsigned char *answer);

/* Where records go: MX, addresses, text, or raw; the others are NULL. */
struct dns_found {
	struct dns_mx *mx; /* DNS_MX_MAX of them */
	size_t mx_count;
	struct ipaddr_list *addresses;
	size_t address_count; /* added by this answer */
	/* The first TXT record, its strings joined, cut at what it may hold. */
	struct buf *text;
	size_t text_count;
	struct buf *raw; /* each record: two bytes of length, and itself */
	size_t raw_count;
	char alias[DNS_TEXT_MAX]; /* where a chain of aliases ends */
};

/*
 * Reads a DNS_GOOD answer: 0 (something found), QE_ABSENT (no such record),
 * QE_DENIED (NXDOMAIN), QE_EOF (an alias whose target the answer does not
 * tell: ask for found->alias), QE_TEMP (malformed, or an endless chain),
 * QE_NOMEM.
 */
int dns_answer_read(const struct dns_query *query, const unsigned char *answer,
    size_t len, struct dns_found *found);

#endif
