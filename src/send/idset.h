/* A set of message ids.  Id 0 does not exist: no inode has that number. */
#ifndef SEND_IDSET_H
#define SEND_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idset {
	uint64_t *slots; /* owned; 0: free */
	size_t cap;      /* a power of two, or 0 */
	size_t count;
};

/* 0, also if it was there already; QE_NOMEM. */
int idset_add(struct idset *set, uint64_t id);
bool idset_has(const struct idset *set, uint64_t id);
/* True if it was there. */
bool idset_remove(struct idset *set, uint64_t id);
void idset_free(struct idset *set);

#endif
