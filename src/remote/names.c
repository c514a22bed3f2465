/*
 * Routing's questions, put to the DNS and to the kernel.  A message for a
 * relay given by address asks neither, and then resolv.conf is not read.
 */
#include "remote/names.h"

#include "base/error.h"

static int
open_once(struct real_names *real)
{
	int r;

	if (real->dns != NULL)
		return 0;
	r = dns_open(real->servers, real->timeout_ms, &real->dns);
	/* A server list that makes no sense is this host's trouble, and
	 * says nothing about the name asked for. */
	return r == QE_SYNTAX || r == QE_LIMIT ? QE_TEMP : r;
}

static int
ask_mx(
    void *state, struct strv name, struct dns_mx out[DNS_MX_MAX], size_t *count)
{
	struct real_names *real = state;
	int r = open_once(real);

	return r < 0 ? r : dns_mx(real->dns, name, out, count);
}

static int
ask_addresses(
    void *state, struct strv name, int family, struct ipaddr_list *out)
{
	struct real_names *real = state;
	int r = open_once(real);

	return r < 0 ? r : dns_addresses(real->dns, name, family, out);
}

static int
ask_tlsa(void *state, struct strv name, struct buf *raw)
{
	struct real_names *real = state;
	int r = open_once(real);

	return r < 0 ? r : dns_tlsa(real->dns, name, raw);
}

static bool
was_secure(void *state)
{
	const struct real_names *real = state;

	return real->dns != NULL && dns_was_secure(real->dns);
}

static int
ask_own(void *state, struct ipaddr_list *out)
{
	(void)state;
	return ipaddr_list_own(out);
}

struct names
names_real(struct real_names *state)
{
	return (struct names){ .state = state,
		.mx = ask_mx,
		.addresses = ask_addresses,
		.own = ask_own,
		.tlsa = ask_tlsa,
		.secure = was_secure };
}

void
names_close(struct real_names *state)
{
	if (state->dns != NULL)
		dns_close(&state->dns);
}
