/*
 * Shares of a channel: how many of its deliveries each domain has, so that no
 * destination takes all places while others wait.
 *
 * A domain may have four times as many deliveries as places are left free.
 * So one alone gets four fifths of the concurrency, two get four ninths each,
 * and there is a place for whoever comes next; below a concurrency of five
 * nothing changes.
 *
 * A message whose next recipient finds no place waits here by its id; what
 * waits costs 16 bytes.
 */
#ifndef SEND_SHARE_H
#define SEND_SHARE_H

#include "base/strv.h"
#include "send/schedule.h"

enum { SHARE_FACTOR = 4, SHARE_BUCKETS = 1024 };

struct share {
	struct share *next;  /* in its bucket */
	struct share *after; /* of those in turn */
	bool in_turn;        /* something waits */
	unsigned running;
	struct schedule waiting; /* messages that have not begun */
	size_t name_len;
	char name[]; /* lower case */
};

struct share_table {
	struct share *buckets[SHARE_BUCKETS];
	struct share *first, *last; /* in turn */
	size_t waiting;             /* messages in all */
};

/* Of a recipient's domain: found or made; NULL without memory. */
struct share *share_get(struct share_table *table, struct strv recipient);
bool share_may_start(const struct share *share, unsigned free_places);
/* Puts a message in line: 0 or QE_NOMEM. */
int share_park(struct share_table *table, struct share *share, int64_t now,
    uint64_t id, bool is_retry);
/* The next message of a domain that may start one. */
bool share_take(
    struct share_table *table, unsigned free_places, int64_t now, uint64_t *id);
/* Forgets it if it is of no use any more. */
void share_release(struct share_table *table, struct share *share);

#endif
