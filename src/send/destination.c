/*
 * Destinations of qmail-rspawn by name: recipients' domains, and the
 * exchangers that their mail has gone to.  What is learnt about a peer is
 * kept for a while after its last message.
 */
#include "base/die.h"
#include "base/error.h"
#include "conf/hosts.h"
#include "send/rspawn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned
bucket_of(struct strv name)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < name.len; i++) {
		hash ^= (unsigned char)ascii_lower(name.ptr[i]);
		hash *= 16777619U;
	}
	return hash % DESTINATION_BUCKETS;
}

struct destination *
destination_get(struct rspawn *r, struct strv name)
{
	unsigned bucket = bucket_of(name);
	struct destination *d = r->buckets[bucket];

	while (
	    d != NULL && !strv_eq_nocase(strv_from(d->name, d->name_len), name))
		d = d->next;
	if (d == NULL) {
		d = calloc(1, sizeof(*d) + name.len + 1);
		if (d == NULL)
			return NULL;
		for (size_t i = 0; i < name.len; i++)
			d->name[i] = ascii_lower(name.ptr[i]);
		d->name_len = name.len;
		limiter_init(&d->limiter, &DESTINATION_RULE_NONE);
		d->next = r->buckets[bucket];
		r->buckets[bucket] = d;
		r->destination_count++;
	}
	d->used_ms = r->now_ms;
	return d;
}

/* A line that makes no sense has been complained about. */
static bool
find_rule(
    const struct rspawn *r, struct destination *d, struct destination_rule *out)
{
	const struct control_entry *entry;

	if (r->rules == NULL)
		return false;
	entry =
	    hosts_find_domain(r->rules, strv_from(d->name, d->name_len), true);
	return entry != NULL && destination_rule_parse(entry->value, out) == 0;
}

void
destination_refresh(struct rspawn *r, struct destination *d)
{
	struct destination_rule rule = DESTINATION_RULE_NONE;

	if (d->generation == r->rules_generation)
		return;
	d->generation = r->rules_generation;
	(void)find_rule(r, d, &rule);
	limiter_set_rule(&d->limiter, &rule);
}

bool
destination_may_start(struct rspawn *r, struct destination *d, int64_t *when_us)
{
	int64_t now_us = r->now_ms * 1000;

	destination_refresh(r, d);
	if (!limiter_may_start(&d->limiter, now_us, when_us))
		return false;
	if (d->via == d)
		return true;
	/* The first connection tells which exchanger's limit holds. */
	if (d->via == NULL)
		return d->limiter.active == 0 || r->rules == NULL ||
		       r->rules->count == 0 || stand_in_is_classic(r);
	destination_refresh(r, d->via);
	return limiter_may_start(&d->via->limiter, now_us, when_us);
}

static void
start_via(struct rspawn *r, struct group *g)
{
	struct destination *d = g->destination;

	g->via = d->via == d ? NULL : d->via;
	if (g->via == NULL)
		return;
	g->via->references++;
	limiter_started(&g->via->limiter, r->now_ms * 1000);
}

void
destination_started(struct rspawn *r, struct group *g)
{
	limiter_started(&g->destination->limiter, r->now_ms * 1000);
	start_via(r, g);
}

void
destination_heard(
    struct rspawn *r, struct group *g, enum limiter_outcome outcome)
{
	int64_t now_us = r->now_ms * 1000;

	limiter_heard(&g->destination->limiter, outcome, now_us);
	if (g->via != NULL)
		limiter_heard(&g->via->limiter, outcome, now_us);
}

void
destination_ended(struct rspawn *r, struct group *g)
{
	g->destination->used_ms = r->now_ms;
	limiter_ended(&g->destination->limiter);
	if (g->via == NULL)
		return;
	g->via->references--;
	g->via->used_ms = r->now_ms;
	limiter_ended(&g->via->limiter);
	g->via = NULL;
}

void
destination_learn(
    struct rspawn *r, struct destination *d, struct strv exchanger)
{
	struct destination *via;

	if (exchanger.len == 0)
		return;
	via = destination_get(r, exchanger);
	if (via == NULL || via == d->via)
		return;
	if (d->via != NULL)
		d->via->references--;
	d->via = via;
	via->references++;
}

void
destination_connected(struct rspawn *r, struct group *g, struct strv exchanger)
{
	destination_learn(r, g->destination, exchanger);
	if (g->via == NULL)
		start_via(r, g);
}

static bool
is_at_rest(const struct rspawn *r, const struct destination *d)
{
	return d->first == NULL && d->idle == NULL && d->references == 0 &&
	       d->limiter.active == 0 &&
	       r->now_ms - d->used_ms > DESTINATION_KEEP_MS;
}

/* A destination that is its own exchanger refers to itself. */
static void
let_go_of_itself(struct destination *d)
{
	if (d->via != d)
		return;
	d->via = NULL;
	d->references--;
}

void
destinations_forget(struct rspawn *r)
{
	if (r->destination_count <= DESTINATIONS_KEPT)
		return;
	for (unsigned i = 0; i < DESTINATION_BUCKETS; i++) {
		struct destination **at = &r->buckets[i];

		while (*at != NULL) {
			struct destination *d = *at;

			if (r->now_ms - d->used_ms > DESTINATION_KEEP_MS)
				let_go_of_itself(d);
			if (!is_at_rest(r, d)) {
				at = &d->next;
				continue;
			}
			if (d->via != NULL)
				d->via->references--;
			*at = d->next;
			r->destination_count--;
			free(d);
		}
	}
}

void
destination_rules_look(struct rspawn *r)
{
	struct control_set *rules;
	struct control_error error;
	struct stat st;
	int64_t changed = 0;
	int result;

	if (stat("control/destinations", &st) == 0)
		changed = (int64_t)st.st_mtim.tv_sec * 1000000000 +
			  st.st_mtim.tv_nsec + (int64_t)st.st_size;
	if (changed == r->rules_changed_ns)
		return;
	rules = calloc(1, sizeof(*rules));
	if (rules == NULL)
		return;
	result = destination_rules_load(rules, &error);
	if (result == QE_SYNTAX || (result != 0 && !r->rules_missed))
		warn("%s", error.text);
	/* All lines but those that make no sense hold. */
	r->rules_missed = result != 0 && result != QE_SYNTAX;
	if (r->rules_missed) {
		free(rules);
		return;
	}
	r->rules_changed_ns = changed;
	if (r->rules != NULL)
		control_set_free(r->rules);
	free(r->rules);
	r->rules = rules;
	r->rules_generation++;
}
