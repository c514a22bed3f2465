/* base/siphash: the authors' vectors, and input in pieces. */
#include "base/siphash.h"
#include "unit.h"

static void
key_fill(unsigned char key[SIPHASH_KEY])
{
	for (unsigned i = 0; i < SIPHASH_KEY; i++)
		key[i] = (unsigned char)i;
}

/* The hash of 00 01 02 ... in hex. */
static void
hash_is(size_t len, size_t piece, const char *want)
{
	unsigned char key[SIPHASH_KEY], out[SIPHASH_SIZE];
	char in[256] = "", hex[2 * SIPHASH_SIZE + 1];
	struct strv rest = strv_from(in, len);
	struct siphash h;

	for (size_t i = 0; i < len; i++)
		in[i] = (char)i;
	key_fill(key);
	siphash_init(&h, key);
	while (rest.len > 0) {
		siphash_feed(&h, strv_head(rest, piece));
		rest = strv_skip(rest, piece);
	}
	siphash_end(&h, out);
	for (size_t i = 0; i < SIPHASH_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", out[i]);
	assert_string_equal(hex, want);
}

static void
test_siphash(void **state)
{
	(void)state;
	hash_is(0, 1, "a3817f04ba25a8e66df67214c7550293");
	hash_is(1, 1, "da87c1d86b99af44347659119b22fc45");
	hash_is(7, 1, "a1f1ebbed8dbc153c0b84aa61ff08239");
	hash_is(7, 64, "a1f1ebbed8dbc153c0b84aa61ff08239");
	hash_is(8, 1, "3b62a9ba6258f5610f83e264f31497b4");
	hash_is(8, 64, "3b62a9ba6258f5610f83e264f31497b4");
	hash_is(15, 1, "5493e99933b0a8117e08ec0f97cfc3d9");
	hash_is(15, 64, "5493e99933b0a8117e08ec0f97cfc3d9");
	hash_is(63, 1, "5150d1772f50834a503e069a973fbd7c");
	hash_is(63, 64, "5150d1772f50834a503e069a973fbd7c");
	hash_is(63, 7, "5150d1772f50834a503e069a973fbd7c");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_siphash) };

	return RUN_TESTS(tests);
}
