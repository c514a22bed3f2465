/*
 * When each queued message is due, per channel.
 *
 * Two structures: a FIFO of first attempts and a heap of retries.  First
 * attempts go before retries that are due, but every RETRY_SHARE-th start is
 * a retry if one is due, so that neither starves.
 *
 * A message at rest costs one entry of 16 bytes for each channel that it has
 * recipients left in, and nothing else.
 */
#ifndef SEND_SCHEDULE_H
#define SEND_SCHEDULE_H

#include "send/idset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_NEVER INT64_MAX

enum { SCHEDULE_RETRY_SHARE = 5 };

struct entry {
	int64_t when;
	uint64_t id;
};

/* Least time first. */
struct entry_heap {
	struct entry *items; /* owned */
	size_t count, cap;
};

int entry_heap_add(struct entry_heap *heap, int64_t when, uint64_t id);
/* SCHEDULE_NEVER if there is none. */
int64_t entry_heap_next(const struct entry_heap *heap);
/* Takes the first entry if it is due. */
bool entry_heap_take(struct entry_heap *heap, int64_t now, uint64_t *id);
/* Nothing is due later than now. */
void entry_heap_expedite(struct entry_heap *heap, int64_t now);
/* The same for the entries of this set alone. */
void entry_heap_expedite_some(
    struct entry_heap *heap, int64_t now, const struct idset *ids);
void entry_heap_free(struct entry_heap *heap);

/* First in, first out. */
struct id_fifo {
	uint64_t *items; /* owned */
	size_t head, count, cap;
};

int id_fifo_add(struct id_fifo *fifo, uint64_t id);
bool id_fifo_take(struct id_fifo *fifo, uint64_t *id);
void id_fifo_free(struct id_fifo *fifo);

struct schedule {
	struct id_fifo first;
	struct entry_heap retries;
	unsigned starts; /* first attempts since the last retry */
};

/* 0 or QE_NOMEM. */
int schedule_add_first(struct schedule *s, uint64_t id);
int schedule_add_retry(struct schedule *s, int64_t when, uint64_t id);
/* The next message to try now. */
bool schedule_take(struct schedule *s, int64_t now, uint64_t *id);
/* True if what schedule_take gave last was a retry. */
bool schedule_took_retry(const struct schedule *s);
/* When schedule_take will have something; SCHEDULE_NEVER if nothing waits. */
int64_t schedule_next(const struct schedule *s, int64_t now);
void schedule_free(struct schedule *s);

/* The largest r with r * r <= n. */
uint64_t schedule_isqrt(uint64_t n);
/*
 * The attempt after one that begins now: birth + (isqrt(age) + skip)^2.  A
 * birth in the future counts as age 0.
 */
int64_t schedule_retry_time(int64_t birth, int64_t now, unsigned skip);

#endif
