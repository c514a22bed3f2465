/*
 * Memory for many small blocks that live as long as their owner.
 *
 * A block costs its size, rounded up; it is not given back by itself unless
 * it was the last one, and all go at once.  For thousands of them this saves
 * the system calls and page faults of malloc(3).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

enum {
	ARENA_BLOCK_MAX = 4096,     /* bytes; larger ones are malloc's */
	ARENA_CHUNK_MIN = 16 << 10, /* bytes taken from the system at first */
	ARENA_CHUNK_MAX = 128 << 10 /* doubled up to here */
};

struct arena {
	struct arena_chunk *chunks; /* the newest first */
};

/* n bytes for any type, not zeroed; NULL: more than a block, or no memory. */
void *arena_take(struct arena *a, size_t n);
/* True if the block is the arena's: then there is nothing else to do. */
bool arena_give(struct arena *a, void *block);
void arena_free(struct arena *a);

#endif
