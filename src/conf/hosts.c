/*
 * Look-ups by domain, most specific key first, and the list of domains that
 * mail is accepted for.  The latter fails closed: whatever cannot be read is
 * an error for each recipient that only the unread part could have listed.
 */
#include "conf/hosts.h"
#include "base/cdb.h"
#include "base/error.h"
#include "conf/control_file.h"

#include <stdlib.h>

const struct control_entry *
hosts_find_domain(
    const struct control_set *set, struct strv domain, bool with_default)
{
	const struct control_entry *found;

	if (set->count == 0)
		return NULL;
	found = control_set_find(set, domain);
	for (size_t i = 1; found == NULL && i < domain.len; i++)
		if (domain.ptr[i] == '.')
			found = control_set_find(set, strv_skip(domain, i));
	if (found == NULL && with_default)
		found = control_set_find(set, STRV_EMPTY);
	return found;
}

const struct control_entry *
hosts_find_address(const struct control_set *set, struct strv address)
{
	const struct control_entry *found;
	size_t at = strv_rfind(address, '@');

	if (set->count == 0)
		return NULL;
	found = control_set_find(set, address);
	if (found != NULL)
		return found;
	return hosts_find_domain(set,
	    at == STRV_NPOS ? STRV_EMPTY : strv_skip(address, at + 1), true);
}

struct rcpthosts {
	bool own_names_only;        /* there is no rcpthosts */
	struct control_set listed;  /* rcpthosts or, without it, locals */
	struct control_set virtual; /* only without rcpthosts */
	struct buf me;              /* only without rcpthosts */
	struct cdb_reader *more;
	int more_error; /* of opening morercpthosts.cdb */
};

/* Without rcpthosts: the names of this host.  A missing me adds nothing. */
static int
load_own_names(struct rcpthosts *hosts, struct control_error *err)
{
	int r = control_line(CTL_ME, &hosts->me, err);

	if (r != 0 && r != QE_ABSENT)
		return r;
	r = control_set_load(CTL_LOCALS, &hosts->listed, err);
	if (r == 0)
		r = control_set_load(CTL_VIRTUALDOMAINS, &hosts->virtual, err);
	return r;
}

int
rcpthosts_open(struct rcpthosts **out, struct control_error *err)
{
	struct rcpthosts *hosts = calloc(1, sizeof(*hosts));
	int r;

	if (hosts == NULL) {
		control_error_set(err, "control/rcpthosts", 0, "out of memory");
		return QE_NOMEM;
	}
	r = control_set_load(CTL_RCPTHOSTS, &hosts->listed, err);
	hosts->own_names_only = !hosts->listed.present;
	if (r == 0 && hosts->own_names_only)
		r = load_own_names(hosts, err);
	else if (r == 0)
		hosts->more_error =
		    cdb_reader_open("control/morercpthosts.cdb", &hosts->more);
	if (hosts->more_error == QE_ABSENT)
		hosts->more_error = 0;
	if (r != 0)
		rcpthosts_free(&hosts);
	else
		*out = hosts;
	return r;
}

void
rcpthosts_free(struct rcpthosts **hosts)
{
	if (*hosts == NULL)
		return;
	control_set_free(&(*hosts)->listed);
	control_set_free(&(*hosts)->virtual);
	buf_free(&(*hosts)->me);
	cdb_reader_free(&(*hosts)->more);
	free(*hosts);
	*hosts = NULL;
}

/*
 * A virtual domain with nothing to prepend is an exception that leads away
 * from this host, so mail for it is not ours.
 */
static bool
is_own_name(const struct rcpthosts *hosts, struct strv domain)
{
	const struct control_entry *entry;

	if (domain.len == 0)
		return false;
	if (strv_eq_nocase(domain, buf_view(&hosts->me)) ||
	    control_set_find(&hosts->listed, domain) != NULL)
		return true;
	entry = hosts_find_domain(&hosts->virtual, domain, false);
	return entry != NULL && entry->value.len > 0;
}

/* The domain and its suffixes, in lower case as qmail-newmrh writes them. */
static int
find_more(struct cdb_reader *more, struct strv domain)
{
	struct buf lower = BUF_INIT;
	struct strv key, value;
	int r = QE_ABSENT;

	buf_add_lower(&lower, domain);
	if (lower.err != 0)
		return QE_NOMEM;
	key = buf_view(&lower);
	for (size_t i = 0; r == QE_ABSENT && i < key.len; i++)
		if (i == 0 || key.ptr[i] == '.')
			r = cdb_reader_find(more, strv_skip(key, i), &value);
	buf_free(&lower);
	return r;
}

int
rcpthosts_find(struct rcpthosts *hosts, struct strv domain)
{
	if (hosts == NULL)
		return QE_CORRUPT;
	if (hosts->own_names_only)
		return is_own_name(hosts, domain) ? 0 : QE_ABSENT;
	if (hosts_find_domain(&hosts->listed, domain, false) != NULL)
		return 0;
	if (hosts->more_error != 0)
		return hosts->more_error;
	if (hosts->more == NULL)
		return QE_ABSENT;
	return find_more(hosts->more, domain);
}
