/* Asking DNS servers over UDP and TCP; for dns.c and dns_batch.c alone. */
#ifndef BASE_DNS_EXCHANGE_H
#define BASE_DNS_EXCHANGE_H

#include "base/dns_message.h"

enum {
	DNS_SERVERS_MAX = 8,
	DNS_ROUNDS_MAX = 5,  /* times that every server is asked */
	DNS_STRAYS_MAX = 64, /* foreign datagrams before a try is given up */
	DNS_REASK_MAX = 8 /* times an alias without its target is asked for */
};

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

/* The pieces of it, for those who ask several things at a time. */

/* The servers that dns_open was given, or found. */
const struct dns_servers *dns_servers_of(const struct dns *dns);
void dns_set_random_id(struct dns_query *query);
/* A non-blocking UDP socket that hears nobody but this server, or -1. */
int dns_open_udp(const struct dns_server *server);
/* Waits: DNS_GOOD and the answer, or DNS_UNUSABLE. */
enum dns_verdict dns_ask_tcp(const struct dns_server *server,
    struct dns_query *query, int64_t until, unsigned char *answer, size_t *len);
/* How long a server may take at first; each further round twice as long. */
int64_t dns_first_patience(
    const struct dns_servers *servers, int64_t deadline_ms);

#endif
