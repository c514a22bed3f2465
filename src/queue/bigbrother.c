/*
 * Watched addresses.  The rule must not fail silently: a file that cannot be
 * read or understood stops the queue until it is mended.
 */
#include "queue/bigbrother.h"
#include "base/error.h"
#include "mail/address.h"

#include <stdlib.h>
#include <string.h>

static bool
is_usable(struct strv address)
{
	return address.len > 0 && address.len <= ADDRESS_MAX &&
	       !address_is_poisoned(address);
}

int
bigbrother_load(struct bigbrother *b)
{
	struct control_error err;
	int r = control_set_load(CTL_BIGBROTHER, &b->set, &err);

	b->seen = NULL;
	b->in_address = false;
	if (r != 0 || b->set.count == 0)
		return r;
	for (size_t i = 0; i < b->set.count; i++) {
		struct control_entry *entry = &b->set.entries[i];

		entry->value = strv_trim_blanks(entry->value);
		if (!is_usable(entry->key) || !is_usable(entry->value))
			r = QE_SYNTAX;
	}
	b->seen = calloc(b->set.count, sizeof(*b->seen));
	if (b->seen == NULL)
		r = QE_NOMEM;
	if (r != 0)
		bigbrother_free(b);
	return r;
}

static void
address_ends(struct bigbrother *b)
{
	const struct control_entry *entry =
	    control_set_find(&b->set, strv_from(b->address, b->length));

	if (entry != NULL)
		b->seen[entry - b->set.entries] = true;
}

/* As much of the address as there is in bytes; how many it was. */
static size_t
take_address(struct bigbrother *b, struct strv bytes)
{
	size_t end = strv_find(bytes, '\0');
	struct strv part = strv_head(bytes, end);

	if (part.len > sizeof(b->address) - b->length)
		part.len = sizeof(b->address) - b->length;
	memcpy(b->address + b->length, part.ptr, part.len);
	b->length += part.len;
	if (end == STRV_NPOS)
		return bytes.len;
	address_ends(b);
	b->in_address = false;
	return end + 1;
}

void
bigbrother_watch(struct bigbrother *b, struct strv bytes)
{
	if (b->set.count == 0)
		return;
	while (bytes.len > 0) {
		size_t taken = 1; /* the letter */

		if (b->in_address) {
			taken = take_address(b, bytes);
		} else {
			b->in_address = true;
			b->length = 0;
		}
		bytes = strv_skip(bytes, taken);
	}
}

bool
bigbrother_has_seen(const struct bigbrother *b)
{
	for (size_t i = 0; i < b->set.count; i++)
		if (b->seen[i])
			return true;
	return false;
}

void
bigbrother_add(const struct bigbrother *b, struct buf *out)
{
	for (size_t i = 0; i < b->set.count; i++)
		if (b->seen[i])
			record_add(out, 'T', b->set.entries[i].value);
}

void
bigbrother_free(struct bigbrother *b)
{
	control_set_free(&b->set);
	free(b->seen);
	*b = (struct bigbrother){ .length = 0 };
}
