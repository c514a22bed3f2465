/*
 * Exchangers and their addresses (RFC 5321 section 5.1, qmail-remote(8)).
 *
 * Exchangers are looked up one preference at a time: most messages need the
 * first address only.  From the preference at which this host itself is found
 * on, all are dropped.  A missing or unusable exchanger never hides others.
 *
 * Of a host with addresses of both families IPv4 is tried first: a reputation
 * and a reverse name are what most senders have there.  AAAA records are not
 * even asked for where they could not be used.
 */
#include "remote/route.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct exchanger {
	unsigned preference;
	uint32_t order; /* random, among equals */
	struct strv name;
};

struct route {
	struct names names;
	struct strv name; /* host or relay */
	uint16_t port;
	bool relayed;  /* our own addresses are no loop */
	bool implicit; /* no MX: the name is its own exchanger */
	bool secure;   /* the list of exchangers */
	struct dns_mx mx[DNS_MX_MAX];
	struct exchanger exchangers[DNS_MX_MAX];
	size_t count, next, looked_up;
	struct ipaddr_list own;
	bool own_known, has_v6;
	struct target *batch; /* addresses of one preference; owned */
	size_t batch_count, batch_cap, batch_next;
	bool temporary;
	enum route_end why;
};

/* The error of a name of which nothing else is known. */
static enum route_end
end_of_lookup(int r)
{
	if (r == QE_NOMEM || r == QE_SYS || r == QE_LIMIT)
		return ROUTE_LOCAL;
	if (r == QE_DENIED || r == QE_SYNTAX)
		return ROUTE_NO_HOST;
	return r == QE_ABSENT ? ROUTE_NO_ADDRESS : ROUTE_TEMPORARY;
}

/* An address of this host that others could reach by IPv6. */
static bool
is_public_v6(const struct ipaddr *ip)
{
	static const unsigned char loopback[16] = { [15] = 1 };

	return ip->family == AF_INET6 && !ipaddr_is_any(ip) &&
	       memcmp(ip->bytes, loopback, sizeof(loopback)) != 0 &&
	       !(ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80);
}

static int
learn_own(struct route *route)
{
	int r;

	if (route->own_known)
		return 0;
	r = route->names.own(route->names.state, &route->own);
	if (r < 0)
		return r;
	route->own_known = true;
	for (size_t i = 0; i < route->own.count; i++)
		if (is_public_v6(&route->own.items[i]))
			route->has_v6 = true;
	return 0;
}

/* All of 127.0.0.0/8 leads back to this host, whatever its interfaces say. */
static bool
is_own(const struct route *route, const struct ipaddr *ip)
{
	if (ip->family == AF_INET && ip->bytes[0] == 127)
		return true;
	return ipaddr_list_has(&route->own, ip);
}

static int
add_target(
    struct route *route, struct strv name, const struct ipaddr *ip, bool secure)
{
	struct target *more;
	size_t cap = route->batch_cap == 0 ? 4 : route->batch_cap * 2;

	if (route->batch_count == route->batch_cap) {
		more = realloc(route->batch, cap * sizeof(*more));
		if (more == NULL)
			return QE_NOMEM;
		route->batch = more;
		route->batch_cap = cap;
	}
	route->batch[route->batch_count++] = (struct target){ .ip = *ip,
		.port = route->port,
		.name = name,
		.secure = secure && route->secure };
	return 0;
}

/* Addresses of one family become targets. */
static int
find_family(struct route *route, struct strv name, int family)
{
	struct ipaddr_list found = { .count = 0 };
	bool secure = false;
	int r =
	    route->names.addresses(route->names.state, name, family, &found);

	if (r == 0 && route->names.secure != NULL)
		secure = route->names.secure(route->names.state);
	for (size_t i = 0; r == 0 && i < found.count; i++)
		r = add_target(route, name, &found.items[i], secure);
	ipaddr_list_free(&found);
	return r;
}

/* The addresses of a name that are of use here, in the order to try. */
static int
find_addresses(struct route *route, struct strv name)
{
	struct ipaddr ip;
	int v4, v6;

	if (ipaddr_parse(name, &ip) == 0)
		return add_target(route, name, &ip, false);
	v4 = find_family(route, name, AF_INET);
	if (v4 == QE_DENIED || v4 == QE_SYNTAX || v4 == QE_NOMEM ||
	    (v4 == 0 && !route->has_v6))
		return v4;
	v6 = find_family(route, name, AF_INET6);
	if (v4 == 0 || v6 == 0)
		return 0;
	return v4 == QE_ABSENT ? v6 : v4;
}

static void
add_exchanger(struct route *route, unsigned preference, struct strv name)
{
	struct exchanger *e = &route->exchangers[route->count++];

	e->preference = preference;
	e->order = 0;
	e->name = name;
}

static int
compare_exchangers(const void *a, const void *b)
{
	const struct exchanger *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return 0;
}

static void
sort_exchangers(struct route *route)
{
	uint32_t order[DNS_MX_MAX] = { 0 };

	/* Without randomness the order of the answer remains. */
	if (getrandom(order, route->count * sizeof(order[0]), GRND_NONBLOCK) <
	    0)
		order[0] = 0;
	for (size_t i = 0; i < route->count; i++)
		route->exchangers[i].order = order[i];
	qsort(route->exchangers, route->count, sizeof(route->exchangers[0]),
	    compare_exchangers);
}

/*
 * "." says that there is none.  Beside others it is a mistake and ignored;
 * names that are addresses are none (RFC 2181 section 10.3).
 */
static void
take_exchangers(struct route *route, size_t count)
{
	struct ipaddr ip;
	bool null_mx = false;

	for (size_t i = 0; i < count; i++) {
		struct strv name = strv_of(route->mx[i].name);

		if (name.len == 0)
			null_mx = true;
		else if (ipaddr_parse(name, &ip) < 0)
			add_exchanger(route, route->mx[i].preference, name);
	}
	if (route->count == 0)
		route->why = null_mx ? ROUTE_NULL_MX : ROUTE_NO_ADDRESS;
	sort_exchangers(route);
}

static void
find_exchangers(struct route *route)
{
	struct strv name = route->name;
	struct ipaddr ip;
	size_t count;
	int r;

	route->implicit = true;
	if (ipaddr_parse(name, &ip) == 0) {
		add_exchanger(route, 0, name);
		return;
	}
	r = route->names.mx(route->names.state, name, route->mx, &count);
	route->secure = route->names.secure != NULL &&
			route->names.secure(route->names.state);
	if (r == 0) {
		route->implicit = false;
		take_exchangers(route, count);
	} else if (r == QE_ABSENT || r == QE_DENIED) {
		/* NXDOMAIN, too: some servers say so of a missing MX. */
		add_exchanger(route, 0, name);
	} else {
		route->why = end_of_lookup(r);
	}
}

int
route_open(
    const struct plan *plan, const struct names *names, struct route **out)
{
	struct route *route = calloc(1, sizeof(*route));

	if (route == NULL)
		return QE_NOMEM;
	route->names = *names;
	route->name = plan->name;
	route->port = plan->port;
	route->relayed = plan->relayed;
	route->why = ROUTE_NO_ADDRESS;
	if (plan->relayed) {
		route->implicit = true;
		route->secure = true; /* what the file says needs no proof */
		add_exchanger(route, 0, route->name);
	} else {
		find_exchangers(route);
	}
	*out = route;
	return 0;
}

/* Adds the addresses of one exchanger; what it lacks is remembered. */
static int
expand_exchanger(struct route *route, const struct exchanger *exchanger)
{
	int r = find_addresses(route, exchanger->name);

	if (r == 0)
		return 0;
	if (end_of_lookup(r) == ROUTE_LOCAL)
		return r;
	if (r == QE_TEMP)
		route->temporary = true;
	if (route->implicit)
		route->why = end_of_lookup(r);
	return 0;
}

/* A literal address needs no list of our own. */
static int
prepare_own(struct route *route)
{
	struct ipaddr ip;

	if (route->relayed && ipaddr_parse(route->name, &ip) == 0)
		return 0;
	return learn_own(route);
}

static void
drop_if_own(struct route *route)
{
	for (size_t i = 0; i < route->batch_count; i++) {
		if (!is_own(route, &route->batch[i].ip))
			continue;
		route->batch_count = 0;
		route->count = 0;
		route->why = ROUTE_SELF;
	}
}

/* The addresses of all exchangers of the next preference. */
static int
load_preference(struct route *route)
{
	unsigned preference = route->exchangers[route->next].preference;
	int r = prepare_own(route);

	route->batch_count = 0;
	route->batch_next = 0;
	while (r == 0 && route->next < route->count &&
	       route->exchangers[route->next].preference == preference) {
		if (route->looked_up++ == ROUTE_EXCHANGERS_MAX)
			route->count = route->next;
		else
			r = expand_exchanger(
			    route, &route->exchangers[route->next++]);
	}
	if (r < 0)
		route->why = ROUTE_LOCAL;
	else if (!route->relayed)
		drop_if_own(route);
	return r;
}

int
route_next(struct route *route, struct target *out)
{
	while (route->batch_next == route->batch_count) {
		if (route->next >= route->count)
			return QE_EOF;
		if (load_preference(route) < 0) {
			route->next = route->count;
			route->batch_next = route->batch_count;
			return QE_EOF;
		}
	}
	*out = route->batch[route->batch_next++];
	return 0;
}

enum route_end
route_why(const struct route *route)
{
	if (route->why == ROUTE_NO_ADDRESS && route->temporary)
		return ROUTE_TEMPORARY;
	return route->why;
}

struct strv
route_name(const struct route *route)
{
	return route->name;
}

void
route_free(struct route **route)
{
	struct route *r = *route;

	*route = NULL;
	if (r == NULL)
		return;
	ipaddr_list_free(&r->own);
	free(r->batch);
	free(r);
}
