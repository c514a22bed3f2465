/* Names from the command line become names of files and keys of databases. */
#include "hosting/names.h"
#include "mail/address.h"

#include <string.h>

static bool
is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

static bool
is_label(struct strv label)
{
	if (label.len == 0 || label.len > HOSTING_LABEL_MAX ||
	    !is_alnum(label.ptr[0]) || !is_alnum(label.ptr[label.len - 1]))
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-')
			return false;
	return true;
}

bool
names_is_domain(struct strv domain)
{
	size_t labels = 0;
	bool more = true;

	if (domain.len == 0 || domain.len > HOSTING_DOMAIN_MAX)
		return false;
	for (; more; labels++)
		if (!is_label(strv_cut(&domain, '.', &more)))
			return false;
	return labels > 1;
}

bool
names_is_local(struct strv local)
{
	if (local.len == 0 || local.len > HOSTING_LOCAL_MAX ||
	    !is_alnum(local.ptr[0]))
		return false;
	for (size_t i = 0; i < local.len; i++)
		if (!is_alnum(local.ptr[i]) &&
		    (local.ptr[i] == '\0' ||
			strchr("._+=-", local.ptr[i]) == NULL))
			return false;
	return !strv_eq_nocase(local, STRV("default")) &&
	       !strv_ends_nocase(local, STRV("-default"));
}

/* "<short>-" at the beginning of the long one. */
static bool
begins_with(struct strv name, struct strv prefix)
{
	return name.len > prefix.len && strv_starts_nocase(name, prefix) &&
	       name.ptr[prefix.len] == '-';
}

bool
names_collide(struct strv domain, struct strv other)
{
	return begins_with(domain, other) || begins_with(other, domain);
}

bool
names_is_target(struct strv address)
{
	if (address_local(address).len == 0 ||
	    !names_is_domain(address_domain(address)))
		return false;
	for (size_t i = 0; i < address.len; i++)
		if ((unsigned char)address.ptr[i] <= ' ' ||
		    address.ptr[i] == 127)
			return false;
	return true;
}
