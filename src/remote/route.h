/*
 * The second half of routing: the addresses of a relay, or of a host's mail
 * exchangers, looked up only as far as they are used.
 */
#ifndef REMOTE_ROUTE_H
#define REMOTE_ROUTE_H

#include "base/dns.h"
#include "remote/plan.h"

enum {
	ROUTE_EXCHANGERS_MAX = 20 /* exchangers whose addresses are asked for */
};

/* Questions about names, as functions, so that tests can answer them. */
struct names {
	void *state;
	/* As dns_mx and dns_addresses. */
	int (*mx)(void *state, struct strv name, struct dns_mx out[DNS_MX_MAX],
	    size_t *count);
	int (*addresses)(
	    void *state, struct strv name, int family, struct ipaddr_list *out);
	/* As ipaddr_list_own. */
	int (*own)(void *state, struct ipaddr_list *out);
	/* As dns_tlsa. */
	int (*tlsa)(void *state, struct strv name, struct buf *raw);
	/* As dns_was_secure, of the last question. */
	bool (*secure)(void *state);
};

struct target {
	struct ipaddr ip;
	uint16_t port;
	/* The exchanger or relay whose address it is; lives as the route. */
	struct strv name;
	/* DNSSEC vouches for this name and for its address. */
	bool secure;
};

/* Why there was no target at all. */
enum route_end {
	ROUTE_TEMPORARY,  /* the DNS does not answer */
	ROUTE_NO_HOST,    /* no such name */
	ROUTE_NO_ADDRESS, /* the name has none */
	ROUTE_SELF,       /* the best exchanger is this host */
	ROUTE_NULL_MX,    /* RFC 7505: the host accepts no mail */
	ROUTE_LOCAL       /* out of memory or descriptors */
};

struct route; /* opaque */

/*
 * Makes ready; names and what plan lends are asked by route_next, too.  0 or
 * QE_NOMEM.
 */
int route_open(
    const struct plan *plan, const struct names *names, struct route **out);
/* 0 and the next target, best first; QE_EOF: no more. */
int route_next(struct route *route, struct target *out);
/* Meaningful if there never was a target. */
enum route_end route_why(const struct route *route);
/* The name that was looked up: host or a relay. */
struct strv route_name(const struct route *route);
void route_free(struct route **route);

#endif
