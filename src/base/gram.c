/* Letter groups: their hashes, kept for a need and set for a subject. */
#include "base/gram.h"

#include <string.h>

enum {
	GRAM_BYTES_MAX = 3, /* letters of a group */
	GRAMS_FOUND_MAX = 2000
};

static unsigned
gram_hash(uint32_t gram)
{
	return (unsigned)((gram * UINT32_C(2654435761)) >> (32 - GRAM_BITS));
}

/*
 * The last n of the letters in tail, which holds them one a byte; shorter
 * groups are told apart by their length.
 */
static unsigned
gram_of(uint32_t tail, size_t n)
{
	uint32_t mask = (UINT32_C(1) << 8 * n) - 1;

	return gram_hash((tail & mask) | (uint32_t)n << 24);
}

void
gram_set_fill(struct gram_set *set, struct strv subject)
{
	uint32_t tail = 0;

	memset(set, 0, sizeof(*set));
	for (size_t i = 0; i < subject.len; i++) {
		tail = tail << 8 | (unsigned char)subject.ptr[i];
		for (size_t n = 1; n <= GRAM_BYTES_MAX && n <= i + 1; n++) {
			unsigned gram = gram_of(tail, n);

			set->words[gram / 64] |= UINT64_C(1) << gram % 64;
		}
	}
}

bool
gram_set_has(const struct gram_set *set, const struct grams *grams)
{
	for (size_t i = 0; i < grams->count; i++) {
		unsigned gram = grams->hashes[i];

		if ((set->words[gram / 64] >> gram % 64 & 1) == 0)
			return false;
	}
	return true;
}

/* Groups of all strings; the longest kind that each string has. */
static size_t
grams_find(struct strv literals, uint16_t found[GRAMS_FOUND_MAX])
{
	size_t count = 0;

	while (literals.len > 0) {
		struct strv run = strv_cut(&literals, '\0', NULL);
		size_t n = run.len < GRAM_BYTES_MAX ? run.len : GRAM_BYTES_MAX;
		uint32_t tail = 0;

		for (size_t i = 0; i < run.len; i++) {
			tail = tail << 8 | (unsigned char)run.ptr[i];
			if (i + 1 >= n && count < GRAMS_FOUND_MAX)
				found[count++] = (uint16_t)gram_of(tail, n);
		}
	}
	return count;
}

/* Some of them, evenly spread: neighbours tend to be alike. */
void
grams_keep(struct grams *grams, struct strv literals)
{
	uint16_t found[GRAMS_FOUND_MAX];
	size_t count = grams_find(literals, found);
	size_t keep = count < GRAMS_MAX ? count : GRAMS_MAX;

	for (size_t i = 0; i < keep; i++)
		grams->hashes[i] = found[i * count / keep];
	grams->count = (unsigned char)keep;
}
