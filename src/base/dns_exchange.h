/* Asking DNS servers over UDP and TCP; for dns.c alone. */
#ifndef BASE_DNS_EXCHANGE_H
#define BASE_DNS_EXCHANGE_H

#include "base/dns_message.h"

enum { DNS_SERVERS_MAX = 8 };

struct dns_server {
	struct ipaddr ip;
	uint16_t port;
};

struct dns_servers {
	struct dns_server items[DNS_SERVERS_MAX];
	size_t count;
};

/*
 * Asks until a server gives an answer that dns_answer_judge calls good, which
 * then stands in answer (DNS_ANSWER_MAX bytes) with its length.  0; QE_TEMP if
 * there was none in time; QE_SYS if this host cannot ask.
 */
int dns_exchange(const struct dns_servers *servers, struct dns_query *query,
    int64_t deadline_ms, unsigned char *answer, size_t *len);

#endif
