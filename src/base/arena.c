/* Chunks of mmap(2), the free rest of the newest is what is taken from. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <sys/mman.h>

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used; /* bytes, with this head */
	size_t last;       /* where the last block begins */
};

enum { ALIGN = alignof(max_align_t) };

static size_t
rounded(size_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* All of it is going to be used: without a page fault for each page. */
static struct arena_chunk *
add_chunk(struct arena *a)
{
	size_t size = a->chunks == NULL ? ARENA_CHUNK_MIN : 2 * a->chunks->size;
	struct arena_chunk *chunk;

	if (size > ARENA_CHUNK_MAX)
		size = ARENA_CHUNK_MAX;
	chunk = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (chunk == MAP_FAILED)
		return NULL;
	chunk->next = a->chunks;
	chunk->size = size;
	chunk->used = chunk->last = rounded(sizeof(*chunk));
	a->chunks = chunk;
	return chunk;
}

void *
arena_take(struct arena *a, size_t n)
{
	struct arena_chunk *chunk = a->chunks;

	if (n > ARENA_BLOCK_MAX)
		return NULL;
	n = rounded(n);
	if (chunk == NULL || chunk->size - chunk->used < n)
		chunk = add_chunk(a);
	if (chunk == NULL)
		return NULL;
	chunk->last = chunk->used;
	chunk->used += n;
	return (char *)chunk + chunk->last;
}

bool
arena_give(struct arena *a, void *block)
{
	uintptr_t at = (uintptr_t)block;

	for (struct arena_chunk *c = a->chunks; c != NULL; c = c->next) {
		uintptr_t begin = (uintptr_t)c;

		if (at < begin || at >= begin + c->size)
			continue;
		if (c == a->chunks && at == begin + c->last)
			c->used = c->last;
		return true;
	}
	return false;
}

void
arena_free(struct arena *a)
{
	while (a->chunks != NULL) {
		struct arena_chunk *gone = a->chunks;

		a->chunks = gone->next;
		munmap(gone, gone->size);
	}
}
