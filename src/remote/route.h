/*
 * Where mail for a host goes: smtproutes, else its mail exchangers, as a list
 * of addresses that is looked up only as far as it is used.
 */
#ifndef REMOTE_ROUTE_H
#define REMOTE_ROUTE_H

#include "base/dns.h"
#include "conf/control.h"

enum {
	ROUTE_SMTP_PORT = 25,
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
};

struct target {
	struct ipaddr ip;
	uint16_t port;
};

/* Why there was no target at all. */
enum route_end {
	ROUTE_TEMPORARY,  /* the DNS does not answer */
	ROUTE_NO_HOST,    /* no such name */
	ROUTE_NO_ADDRESS, /* the name has none */
	ROUTE_SELF,       /* the best exchanger is this host */
	ROUTE_NULL_MX,    /* RFC 7505: the host accepts no mail */
	ROUTE_BAD_ENTRY,  /* a line of smtproutes makes no sense */
	ROUTE_LOCAL       /* out of memory or descriptors */
};

struct route; /* opaque */

/*
 * Makes ready; names is lent and asked by route_next, too.  0 or QE_NOMEM.
 */
int route_open(const struct control_set *smtproutes, const struct names *names,
    struct strv host, struct route **out);
/* 0 and the next target, best first; QE_EOF: no more. */
int route_next(struct route *route, struct target *out);
/* Meaningful if there never was a target. */
enum route_end route_why(const struct route *route);
/* The name that was looked up: host or a relay of smtproutes. */
struct strv route_name(const struct route *route);
void route_free(struct route **route);

#endif
