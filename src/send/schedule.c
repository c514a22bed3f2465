/* When each queued message is due; see the header.  No clock in here. */
#include "send/schedule.h"
#include "base/error.h"

#include <stdlib.h>

enum { FIRST_CAP = 64 };

int
entry_heap_add(struct entry_heap *heap, int64_t when, uint64_t id)
{
	size_t i = heap->count;

	if (heap->count == heap->cap) {
		size_t cap = heap->cap == 0 ? FIRST_CAP : heap->cap * 2;
		struct entry *items =
		    reallocarray(heap->items, cap, sizeof(*items));

		if (items == NULL)
			return QE_NOMEM;
		heap->items = items;
		heap->cap = cap;
	}
	heap->count++;
	while (i > 0 && heap->items[(i - 1) / 2].when > when) {
		heap->items[i] = heap->items[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap->items[i] = (struct entry){ when, id };
	return 0;
}

int64_t
entry_heap_next(const struct entry_heap *heap)
{
	return heap->count == 0 ? SCHEDULE_NEVER : heap->items[0].when;
}

/* Lets the entry sink from the free place i to where it belongs. */
static void
sink_from(struct entry_heap *heap, size_t i, struct entry last)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
		    heap->items[child + 1].when < heap->items[child].when)
			child++;
		if (heap->items[child].when >= last.when)
			break;
		heap->items[i] = heap->items[child];
		i = child;
	}
	heap->items[i] = last;
}

bool
entry_heap_take(struct entry_heap *heap, int64_t now, uint64_t *id)
{
	if (heap->count == 0 || heap->items[0].when > now)
		return false;
	*id = heap->items[0].id;
	heap->count--;
	if (heap->count > 0)
		sink_from(heap, 0, heap->items[heap->count]);
	else
		entry_heap_free(heap);
	return true;
}

void
entry_heap_expedite(struct entry_heap *heap, int64_t now)
{
	/* Cutting all times at the same height keeps the heap's order. */
	for (size_t i = 0; i < heap->count; i++)
		if (heap->items[i].when > now)
			heap->items[i].when = now;
}

void
entry_heap_expedite_some(
    struct entry_heap *heap, int64_t now, const struct idset *ids)
{
	bool changed = false;

	for (size_t i = 0; i < heap->count; i++) {
		struct entry *entry = &heap->items[i];

		if (entry->when <= now || !idset_has(ids, entry->id))
			continue;
		entry->when = now;
		changed = true;
	}
	for (size_t i = heap->count / 2; changed && i > 0; i--)
		sink_from(heap, i - 1, heap->items[i - 1]);
}

void
entry_heap_free(struct entry_heap *heap)
{
	free(heap->items);
	*heap = (struct entry_heap){ 0 };
}

static int
fifo_grow(struct id_fifo *fifo)
{
	size_t cap = fifo->cap == 0 ? FIRST_CAP : fifo->cap * 2;
	uint64_t *items = calloc(cap, sizeof(*items));

	if (items == NULL)
		return QE_NOMEM;
	for (size_t i = 0; i < fifo->count; i++)
		items[i] = fifo->items[(fifo->head + i) & (fifo->cap - 1)];
	free(fifo->items);
	fifo->items = items;
	fifo->head = 0;
	fifo->cap = cap;
	return 0;
}

int
id_fifo_add(struct id_fifo *fifo, uint64_t id)
{
	if (fifo->count == fifo->cap && fifo_grow(fifo) != 0)
		return QE_NOMEM;
	fifo->items[(fifo->head + fifo->count) & (fifo->cap - 1)] = id;
	fifo->count++;
	return 0;
}

bool
id_fifo_take(struct id_fifo *fifo, uint64_t *id)
{
	if (fifo->count == 0)
		return false;
	*id = fifo->items[fifo->head];
	fifo->head = (fifo->head + 1) & (fifo->cap - 1);
	fifo->count--;
	/* What a flood has taken is given back when it is over. */
	if (fifo->count == 0 && fifo->cap > FIRST_CAP)
		id_fifo_free(fifo);
	return true;
}

void
id_fifo_free(struct id_fifo *fifo)
{
	free(fifo->items);
	*fifo = (struct id_fifo){ 0 };
}

int
schedule_add_first(struct schedule *s, uint64_t id)
{
	return id_fifo_add(&s->first, id);
}

int
schedule_add_retry(struct schedule *s, int64_t when, uint64_t id)
{
	return entry_heap_add(&s->retries, when, id);
}

bool
schedule_take(struct schedule *s, int64_t now, uint64_t *id)
{
	bool retry_turn =
	    s->first.count == 0 || s->starts + 1 >= SCHEDULE_RETRY_SHARE;

	if (retry_turn && entry_heap_take(&s->retries, now, id)) {
		s->starts = 0;
		return true;
	}
	if (!id_fifo_take(&s->first, id))
		return false;
	if (s->starts < SCHEDULE_RETRY_SHARE)
		s->starts++;
	return true;
}

bool
schedule_took_retry(const struct schedule *s)
{
	return s->starts == 0;
}

int64_t
schedule_next(const struct schedule *s, int64_t now)
{
	return s->first.count > 0 ? now : entry_heap_next(&s->retries);
}

void
schedule_free(struct schedule *s)
{
	id_fifo_free(&s->first);
	entry_heap_free(&s->retries);
}

uint64_t
schedule_isqrt(uint64_t n)
{
	uint64_t root = 0;
	uint64_t bit = UINT64_C(1) << 62;

	while (bit > n)
		bit >>= 2;
	for (; bit != 0; bit >>= 2) {
		if (n >= root + bit) {
			n -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

int64_t
schedule_retry_time(int64_t birth, int64_t now, unsigned skip)
{
	int64_t age, root, wait, when;

	if (__builtin_sub_overflow(now, birth, &age))
		age = now > birth ? INT64_MAX : 0;
	if (age < 0)
		age = 0;
	root = (int64_t)schedule_isqrt((uint64_t)age) + skip;
	if (__builtin_mul_overflow(root, root, &wait) ||
	    __builtin_add_overflow(birth, wait, &when))
		return INT64_MAX - 1;
	return when;
}
