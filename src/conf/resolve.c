/*
 * Local or remote?  The steps of address resolution in their fixed order:
 * envnoathost, percenthack, locals, virtualdomains.
 */
#include "conf/resolve.h"
#include "base/error.h"
#include "conf/control_file.h"
#include "conf/hosts.h"

#include <stdlib.h>
#include <string.h>

struct resolver {
	struct buf me; /* as it was at the start */
	bool has_me;
	struct buf envnoathost;
	struct control_set percenthack;
	struct control_set locals; /* holds me if the file is missing */
	struct control_set virtualdomains;
};

/* control/locals; without the file the name of this host. */
static int
load_locals(const struct resolver *resolver, struct control_set *out,
    struct control_error *err)
{
	struct control_set set;
	int r = control_set_load(CTL_LOCALS, &set, err);

	if (r != 0)
		return r;
	if (!set.present) {
		control_set_free(&set);
		if (!resolver->has_me) {
			control_error_set(err, "control/locals", 0,
			    "file does not exist, nor does control/me");
			return QE_ABSENT;
		}
		r = control_set_parse(
		    buf_view(&resolver->me), CT_LIST, "control/me", &set, err);
		if (r != 0)
			return r;
	}
	*out = set;
	return 0;
}

/* All but me, which is as it was at the start; *failed: the file in trouble. */
struct routes {
	struct buf envnoathost;
	struct control_set percenthack, locals, virtualdomains;
};

static void
routes_free(struct routes *routes)
{
	buf_free(&routes->envnoathost);
	control_set_free(&routes->percenthack);
	control_set_free(&routes->locals);
	control_set_free(&routes->virtualdomains);
}

static int
routes_load(const struct resolver *resolver, struct routes *out,
    const char **failed, struct control_error *err)
{
	int r;

	*out = (struct routes){ .envnoathost = BUF_INIT };
	*failed = "envnoathost";
	r = control_line(CTL_ENVNOATHOST, &out->envnoathost, err);
	if (r == 0) {
		*failed = "percenthack";
		r = control_set_load(CTL_PERCENTHACK, &out->percenthack, err);
	}
	if (r == 0) {
		*failed = "locals";
		r = load_locals(resolver, &out->locals, err);
	}
	if (r == 0) {
		*failed = "virtualdomains";
		r = control_set_load(
		    CTL_VIRTUALDOMAINS, &out->virtualdomains, err);
	}
	if (r != 0)
		routes_free(out);
	return r;
}

static void
routes_put(struct resolver *resolver, struct routes *routes)
{
	resolver->envnoathost = routes->envnoathost;
	resolver->percenthack = routes->percenthack;
	resolver->locals = routes->locals;
	resolver->virtualdomains = routes->virtualdomains;
}

static int
load_all(struct resolver *resolver, struct control_error *err)
{
	struct routes routes;
	const char *failed;
	int r = control_line(CTL_ME, &resolver->me, err);

	if (r != 0 && r != QE_ABSENT)
		return r;
	resolver->has_me = r == 0;
	r = routes_load(resolver, &routes, &failed, err);
	if (r == 0)
		routes_put(resolver, &routes);
	return r;
}

int
resolver_open(struct resolver **out, struct control_error *err)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	int r;

	if (resolver == NULL) {
		control_error_set(err, "control/locals", 0, "out of memory");
		return QE_NOMEM;
	}
	r = load_all(resolver, err);
	if (r != 0)
		resolver_free(&resolver);
	else
		*out = resolver;
	return r;
}

int
resolver_reread(
    struct resolver *resolver, const char **failed, struct control_error *err)
{
	struct routes fresh, old = { .envnoathost = resolver->envnoathost,
		.percenthack = resolver->percenthack,
		.locals = resolver->locals,
		.virtualdomains = resolver->virtualdomains };
	int r = routes_load(resolver, &fresh, failed, err);

	if (r != 0)
		return r;
	routes_put(resolver, &fresh);
	routes_free(&old);
	return 0;
}

void
resolver_free(struct resolver **resolver)
{
	struct resolver *r = *resolver;

	if (r == NULL)
		return;
	buf_free(&r->me);
	buf_free(&r->envnoathost);
	control_set_free(&r->percenthack);
	control_set_free(&r->locals);
	control_set_free(&r->virtualdomains);
	free(r);
	*resolver = NULL;
}

/* user%host@domain to user@host, in place, as long as domain is listed. */
static void
undo_percents(const struct resolver *resolver, struct buf *out, size_t start)
{
	for (;;) {
		struct strv address = strv_skip(buf_view(out), start);
		size_t at = strv_rfind(address, '@');
		size_t percent;

		if (at == STRV_NPOS || control_set_find(&resolver->percenthack,
					   strv_skip(address, at + 1)) == NULL)
			return;
		percent = strv_rfind(strv_head(address, at), '%');
		if (percent == STRV_NPOS)
			return;
		buf_truncate(out, start + at);
		out->data[start + percent] = '@';
	}
}

/* Puts "<prepend>-" before what stands behind start. */
static void
add_prepend(struct buf *out, size_t start, struct strv prepend)
{
	size_t tail = out->len - start;
	char *end = buf_reserve(out, prepend.len + 1);
	char *to;

	if (end == NULL)
		return;
	to = end - tail;
	memmove(to + prepend.len + 1, to, tail);
	memcpy(to, prepend.ptr, prepend.len);
	to[prepend.len] = '-';
	out->len += prepend.len + 1;
}

enum channel
resolver_route(
    const struct resolver *resolver, struct strv recipient, struct buf *out)
{
	const struct control_entry *entry;
	size_t start = out->len;
	struct strv address;

	buf_add_view(out, recipient);
	if (strv_find(recipient, '@') == STRV_NPOS) {
		buf_add_char(out, '@');
		buf_add_view(out, buf_view(&resolver->envnoathost));
	}
	if (out->err != 0)
		return CHANNEL_LOCAL;
	undo_percents(resolver, out, start);
	address = strv_skip(buf_view(out), start);
	if (control_set_find(&resolver->locals,
		strv_skip(address, strv_rfind(address, '@') + 1)) != NULL)
		return CHANNEL_LOCAL;
	entry = hosts_find_address(&resolver->virtualdomains, address);
	if (entry == NULL || entry->value.len == 0)
		return CHANNEL_REMOTE;
	add_prepend(out, start, entry->value);
	return CHANNEL_LOCAL;
}

struct strv
resolver_strip_prepend(const struct resolver *resolver, struct strv recipient)
{
	const struct control_entry *entry;
	size_t at = strv_rfind(recipient, '@');
	struct strv domain;
	size_t n;

	if (at == STRV_NPOS)
		return recipient;
	domain = strv_skip(recipient, at + 1);
	if (control_set_find(&resolver->locals, domain) != NULL)
		return recipient;
	entry = hosts_find_domain(&resolver->virtualdomains, domain, true);
	n = entry == NULL ? 0 : entry->value.len;
	if (n == 0 || n >= at || recipient.ptr[n] != '-' ||
	    !strv_starts(recipient, entry->value))
		return recipient;
	return strv_skip(recipient, n + 1);
}
