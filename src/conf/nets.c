/* Lists of nets.  A line that is none is an error, never passed over. */
#include "conf/nets.h"

#include "base/error.h"
#include "conf/control_file.h"

#include <stdlib.h>

static int
read_entries(const struct control_set *set, const char *name, struct nets *nets,
    struct control_error *err)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct control_entry *entry = &set->entries[i];

		if (cidr_parse(strv_trim_blanks(entry->key), &nets->items[i]) !=
		    0) {
			control_error_set(err, name, entry->line,
			    "no IP address and no net like 192.0.2.0/24");
			return QE_SYNTAX;
		}
	}
	nets->count = set->count;
	return 0;
}

int
nets_load(enum ctl id, struct nets *out, struct control_error *err)
{
	const char *name = control_path(id);
	struct nets nets = { .items = NULL };
	struct control_set set;
	int r = control_set_load(id, &set, err);

	if (r != 0)
		return r;
	if (set.count > 0) {
		nets.items = calloc(set.count, sizeof(*nets.items));
		if (nets.items == NULL) {
			control_error_set(err, name, 0, "out of memory");
			r = QE_NOMEM;
		} else {
			r = read_entries(&set, name, &nets, err);
		}
	}
	control_set_free(&set);
	if (r == 0)
		*out = nets;
	else
		nets_free(&nets);
	return r;
}

bool
nets_have(const struct nets *nets, const struct ipaddr *ip)
{
	for (size_t i = 0; i < nets->count; i++)
		if (cidr_has(&nets->items[i], ip))
			return true;
	return false;
}

void
nets_free(struct nets *nets)
{
	free(nets->items);
	*nets = (struct nets){ .items = NULL };
}
