/*
 * A set of message ids: open addressing, linear probing, at most half full.
 * Removal moves later entries up, so that no tombstones gather in a process
 * that runs for months.
 */
#include "send/idset.h"
#include "base/error.h"

#include <stdlib.h>

enum { IDSET_FIRST = 64 }; /* slots of the first allocation */

static size_t
home_of(const struct idset *set, uint64_t id)
{
	/* Inode numbers are neighbours; the multiplication spreads them. */
	return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 17) &
	       (set->cap - 1);
}

/* Where id is, or the free slot where it belongs. */
static size_t
slot_of(const struct idset *set, uint64_t id)
{
	size_t i = home_of(set, id);

	while (set->slots[i] != 0 && set->slots[i] != id)
		i = (i + 1) & (set->cap - 1);
	return i;
}

static int
grow(struct idset *set)
{
	struct idset bigger = { .cap = set->cap == 0 ? IDSET_FIRST
						     : set->cap * 2 };

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return QE_NOMEM;
	for (size_t i = 0; i < set->cap; i++)
		if (set->slots[i] != 0)
			bigger.slots[slot_of(&bigger, set->slots[i])] =
			    set->slots[i];
	bigger.count = set->count;
	free(set->slots);
	*set = bigger;
	return 0;
}

int
idset_add(struct idset *set, uint64_t id)
{
	size_t i;

	if (id == 0 || idset_has(set, id))
		return 0;
	if (set->count + 1 > set->cap / 2 && grow(set) != 0)
		return QE_NOMEM;
	i = slot_of(set, id);
	set->slots[i] = id;
	set->count++;
	return 0;
}

bool
idset_has(const struct idset *set, uint64_t id)
{
	return set->count > 0 && id != 0 && set->slots[slot_of(set, id)] == id;
}

bool
idset_remove(struct idset *set, uint64_t id)
{
	size_t mask = set->cap - 1;
	size_t hole, i;

	if (!idset_has(set, id))
		return false;
	hole = slot_of(set, id);
	for (i = (hole + 1) & mask; set->slots[i] != 0; i = (i + 1) & mask) {
		size_t home = home_of(set, set->slots[i]);

		/* It may move to the hole if its home is not behind it. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			set->slots[hole] = set->slots[i];
			hole = i;
		}
	}
	set->slots[hole] = 0;
	set->count--;
	return true;
}

void
idset_free(struct idset *set)
{
	free(set->slots);
	*set = (struct idset){ 0 };
}
