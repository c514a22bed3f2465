/*
 * Where a domain's mail goes, found out bit by bit: one MX look-up tells
 * whether there are exchangers at all, and most callers need no more than
 * the first of their addresses.
 */
#include "smtpd/exchangers.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>

/* No such thing, as against no answer. */
static bool
is_absent(int r)
{
	return r == QE_ABSENT || r == QE_DENIED || r == QE_SYNTAX;
}

/* Gives the next look-up what is left of the time; false if nothing is. */
static bool
has_time(struct exchangers *e)
{
	int64_t left = e->deadline_ms - clock_mono_ms();

	if (left <= 0)
		return false;
	dns_set_timeout(e->dns, left);
	return true;
}

int
exchangers_literal(struct exchangers *e, struct strv domain)
{
	struct ipaddr ip;

	*e = (struct exchangers){ .dns = NULL };
	if (ipaddr_parse(domain, &ip) != 0 || ipaddr_is_any(&ip))
		return QE_ABSENT;
	return ipaddr_list_add(&e->addresses, &ip);
}

static int
compare_preference(const void *left, const void *right)
{
	const struct dns_mx *a = left, *b = right;

	return a->preference < b->preference ? -1
					     : a->preference > b->preference;
}

/* A null MX names no host; beside others it is somebody's mistake. */
static void
drop_null(struct exchangers *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->count; i++)
		if (e->hosts[i].name[0] != '\0')
			e->hosts[kept++] = e->hosts[i];
	e->count = kept;
}

static int
find_hosts(struct exchangers *e, struct strv domain)
{
	int r;

	e->hosts = calloc(DNS_MX_MAX, sizeof(*e->hosts));
	if (e->hosts == NULL)
		return QE_NOMEM;
	r = dns_mx(e->dns, domain, e->hosts, &e->count);
	if (r != 0) {
		e->count = 0;
		return r;
	}
	drop_null(e);
	qsort(e->hosts, e->count, sizeof(*e->hosts), compare_preference);
	return e->count > 0 ? 0 : QE_DENIED;
}

int
exchangers_find(struct exchangers *e, struct dns *dns, struct strv domain,
    int64_t deadline_ms)
{
	int r;

	*e = (struct exchangers){ .dns = dns, .deadline_ms = deadline_ms };
	if (!has_time(e))
		return QE_TEMP;
	r = find_hosts(e, domain);
	/* The name is there, but has no MX: it is its own exchanger. */
	if (r == QE_ABSENT && !has_time(e))
		r = QE_TEMP;
	else if (r == QE_ABSENT)
		r = dns_addresses(e->dns, domain, AF_UNSPEC, &e->addresses);
	if (r == 0 || r == QE_NOMEM)
		return r;
	return is_absent(r) ? QE_ABSENT : QE_TEMP;
}

/* The next exchanger's addresses; one without any is passed over. */
static int
ask_next(struct exchangers *e)
{
	struct strv name = strv_of(e->hosts[e->asked++].name);
	int r;

	if (!has_time(e)) {
		e->asked = e->count;
		e->failed = true;
		return 0;
	}
	r = dns_addresses(e->dns, name, AF_UNSPEC, &e->addresses);
	if (r == QE_NOMEM)
		return r;
	if (r != 0 && !is_absent(r))
		e->failed = true;
	return 0;
}

int
exchangers_address(struct exchangers *e, size_t index, struct ipaddr *out)
{
	while (index >= e->addresses.count && e->asked < e->count &&
	       e->addresses.count < EXCHANGER_ADDRESSES_MAX) {
		int r = ask_next(e);

		if (r != 0)
			return r;
	}
	if (index >= e->addresses.count)
		return e->failed ? QE_TEMP : QE_EOF;
	*out = e->addresses.items[index];
	return 0;
}

void
exchangers_free(struct exchangers *e)
{
	free(e->hosts);
	ipaddr_list_free(&e->addresses);
	*e = (struct exchangers){ .dns = NULL };
}
