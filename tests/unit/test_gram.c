/* What letter groups rule out. */
#include "base/gram.h"
#include "unit.h"

static bool
may_match(struct strv literals, const char *subject)
{
	struct grams grams;
	struct gram_set set;

	grams_keep(&grams, literals);
	gram_set_fill(&set, strv_of(subject));
	return gram_set_has(&set, &grams);
}

static void
test_what_is_contained_is_never_ruled_out(void **state)
{
	(void)state;
	assert_true(may_match(STRV(""), ""));
	assert_true(may_match(STRV("a\0"), "cat"));
	assert_true(may_match(STRV("at\0"), "cat"));
	assert_true(may_match(STRV("spam.example\0"), "x@spam.example"));
	assert_true(may_match(STRV("x@\0example\0"), "x@spam.example"));
	/* More groups than are kept. */
	assert_true(may_match(STRV("abcdefghijklmnopqrstuvwxyz\0"),
	    "abcdefghijklmnopqrstuvwxyz"));
}

static void
test_what_is_ruled_out(void **state)
{
	(void)state;
	assert_false(may_match(STRV("a\0"), ""));
	assert_false(may_match(STRV("b\0"), "cat"));
	assert_false(may_match(STRV("ta\0"), "cat"));
	assert_false(may_match(STRV("cat\0dog\0"), "cats"));
	assert_false(may_match(STRV("spam\0"), "spa am"));
	assert_false(
	    may_match(STRV("abcdefghijklmnopqrstuvwxyz\0"), "abcdefghijklm"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_contained_is_never_ruled_out),
		cmocka_unit_test(test_what_is_ruled_out),
	};

	return RUN_TESTS(tests);
}
