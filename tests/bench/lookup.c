/*
 * Times look-ups in users/cdb: lookup cdb users seconds tail.  Prints
 * microseconds for each, over names drawn at random, after a warm-up.
 */
#include "base/cdb.h"
#include "base/clock.h"
#include "conf/users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 1000 };

static uint32_t
next_random(uint32_t *state)
{
	uint32_t x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	*state = x;
	return x;
}

/* Looks up a batch; how many were found. */
static long
run_batch(const char *path, struct cdb_reader **cache, uint32_t users,
    uint32_t *state, const char *tail)
{
	long found = 0;

	for (int i = 0; i < BATCH; i++) {
		struct user_entry entry;
		char name[64];

		snprintf(name, sizeof(name), "user%u%s",
		    (unsigned)(next_random(state) % users), tail);
		if (users_find_assigned(path, strv_of(name), cache, &entry) !=
		    0)
			continue;
		found++;
		user_entry_free(&entry);
	}
	return found;
}

int
main(int argc, char **argv)
{
	struct cdb_reader *cache = NULL;
	uint32_t state = 2463534242, users;
	int64_t begin, end;
	long done = 0, found = 0;

	if (argc != 5)
		return 100;
	users = (uint32_t)strtoul(argv[2], NULL, 10);
	/* The warm-up: as if the server had been up for a while. */
	for (int i = 0; i < 200; i++)
		run_batch(argv[1], &cache, users, &state, argv[4]);
	begin = clock_mono_ms();
	end = begin + 1000 * strtol(argv[3], NULL, 10);
	do {
		found += run_batch(argv[1], &cache, users, &state, argv[4]);
		done += BATCH;
	} while (clock_mono_ms() < end);
	printf("%.2f %ld %ld\n",
	    1000.0 * (double)(clock_mono_ms() - begin) / (double)done, done,
	    found);
	return 0;
}
