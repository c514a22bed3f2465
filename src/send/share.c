/* Shares of a channel by domain; see the header. */
#include "send/share.h"
#include "base/error.h"

#include <stdlib.h>

enum { TURNS_MAX = 64 }; /* domains looked at for one start */

static struct share **
bucket_of(struct share_table *table, struct strv domain)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < domain.len; i++) {
		hash ^= (unsigned char)ascii_lower(domain.ptr[i]);
		hash *= 16777619U;
	}
	return &table->buckets[hash % SHARE_BUCKETS];
}

struct share *
share_get(struct share_table *table, struct strv recipient)
{
	size_t at = strv_rfind(recipient, '@');
	struct strv domain =
	    at == STRV_NPOS ? STRV_EMPTY : strv_skip(recipient, at + 1);
	struct share **bucket = bucket_of(table, domain);
	struct share *share = *bucket;

	while (share != NULL &&
	       !strv_eq_nocase(strv_from(share->name, share->name_len), domain))
		share = share->next;
	if (share != NULL)
		return share;
	share = calloc(1, sizeof(*share) + domain.len);
	if (share == NULL)
		return NULL;
	share->name_len = domain.len;
	for (size_t i = 0; i < domain.len; i++)
		share->name[i] = ascii_lower(domain.ptr[i]);
	share->next = *bucket;
	*bucket = share;
	return share;
}

bool
share_may_start(const struct share *share, unsigned free_places)
{
	return free_places > 0 && share->running / SHARE_FACTOR < free_places;
}

static void
put_in_turn(struct share_table *table, struct share *share)
{
	share->in_turn = true;
	share->after = NULL;
	if (table->last != NULL)
		table->last->after = share;
	else
		table->first = share;
	table->last = share;
}

static struct share *
take_turn(struct share_table *table)
{
	struct share *share = table->first;

	table->first = share->after;
	if (table->first == NULL)
		table->last = NULL;
	share->in_turn = false;
	return share;
}

int
share_park(struct share_table *table, struct share *share, int64_t now,
    uint64_t id, bool is_retry)
{
	int r = is_retry ? schedule_add_retry(&share->waiting, now, id)
			 : schedule_add_first(&share->waiting, id);

	if (r != 0)
		return r;
	table->waiting++;
	if (!share->in_turn)
		put_in_turn(table, share);
	return 0;
}

bool
share_take(
    struct share_table *table, unsigned free_places, int64_t now, uint64_t *id)
{
	struct share *end = table->last, *share = NULL;
	bool found = false;

	for (int i = 0;
	     i < TURNS_MAX && table->first != NULL && !found && share != end;
	     i++) {
		share = take_turn(table);
		found = share_may_start(share, free_places) &&
			schedule_take(&share->waiting, now, id);
		if (schedule_next(&share->waiting, now) != SCHEDULE_NEVER)
			put_in_turn(table, share);
		else
			share_release(table, share);
	}
	if (found)
		table->waiting--;
	return found;
}

void
share_release(struct share_table *table, struct share *share)
{
	struct share **at;

	if (share->running > 0 || share->in_turn)
		return;
	at = bucket_of(table, strv_from(share->name, share->name_len));
	while (*at != share)
		at = &(*at)->next;
	*at = share->next;
	schedule_free(&share->waiting);
	free(share);
}
