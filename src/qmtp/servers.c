/* control/qmqpservers; see the header. */
#include "qmtp/servers.h"
#include "base/error.h"

enum { PORT_MAX = 65535 };

/* "192.0.2.1", "192.0.2.1:628", "2001:db8::1", "[2001:db8::1]:628" */
static int
parse(struct strv text, struct qmqp_server *out)
{
	size_t colon = strv_rfind(text, ':');
	size_t bracket = strv_rfind(text, ']');
	uint64_t port;

	out->port = SERVERS_PORT;
	if (ipaddr_parse(text, &out->ip) == 0)
		return 0;
	if (colon == STRV_NPOS ||
	    (bracket != STRV_NPOS && bracket + 1 != colon) ||
	    strv_to_u64(strv_skip(text, colon + 1), PORT_MAX, &port) != 0 ||
	    port == 0)
		return QE_SYNTAX;
	out->port = (uint16_t)port;
	/* Without brackets only one colon can be that of the port. */
	if (bracket == STRV_NPOS && strv_find(text, ':') != colon)
		return QE_SYNTAX;
	return ipaddr_parse(strv_head(text, colon), &out->ip);
}

/* The set is sorted by key; the file's order is what counts. */
static const struct control_entry *
next_entry(const struct control_set *set, unsigned after)
{
	const struct control_entry *next = NULL;

	for (size_t i = 0; i < set->count; i++)
		if (set->entries[i].line > after &&
		    (next == NULL || set->entries[i].line < next->line))
			next = &set->entries[i];
	return next;
}

int
servers_take(
    const struct control_set *set, struct qmqp_servers *out, unsigned *line)
{
	const struct control_entry *entry = next_entry(set, 0);

	out->count = 0;
	for (; entry != NULL && out->count < SERVERS_MAX;
	     entry = next_entry(set, entry->line)) {
		if (parse(entry->key, &out->items[out->count]) != 0) {
			*line = entry->line;
			return QE_SYNTAX;
		}
		out->count++;
	}
	return out->count == 0 ? QE_ABSENT : 0;
}
