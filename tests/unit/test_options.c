/* base/options: bundles, arguments, ends and complaints. */
#include "base/options.h"
#include "unit.h"

enum { WORDS_MAX = 8, SEEN_MAX = 256 };

/*
 * Runs the options over words and writes what came out to seen, as
 * "a b=arg | rest"; the complaint, if any, follows in [].
 */
static void
parse(const char *letters, const char *const *words, char seen[SEEN_MAX])
{
	char *argv[WORDS_MAX + 1];
	int argc = 0, letter, saved, fds[2];
	size_t used = 0;
	struct options o;
	ssize_t got;

	for (; words[argc] != NULL; argc++)
		argv[argc] = strdup(words[argc]);
	argv[argc] = NULL;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	saved = dup(2);
	dup2(fds[1], 2);
	options_init(&o, argc, argv, letters);
	while ((letter = options_next(&o)) != -1) {
		used += (size_t)snprintf(seen + used, SEEN_MAX - used,
		    "%c%s%s ", letter, o.arg == NULL ? "" : "=",
		    o.arg == NULL ? "" : o.arg);
		if (letter == '?')
			break;
	}
	dup2(saved, 2);
	close(saved);
	used += (size_t)snprintf(seen + used, SEEN_MAX - used, "|");
	for (int i = o.index; i < argc; i++)
		used += (size_t)snprintf(
		    seen + used, SEEN_MAX - used, " %s", argv[i]);
	got = read(fds[0], seen + used, SEEN_MAX - used - 1);
	used += got > 0 ? (size_t)got : 0;
	seen[used] = '\0';
	close(fds[0]);
	close(fds[1]);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
}

#define CHECK(letters, want, ...)                                              \
	check(letters, want, (const char *const[]){ __VA_ARGS__, NULL })

static void
check(const char *letters, const char *want, const char *const *words)
{
	char seen[SEEN_MAX];

	parse(letters, words, seen);
	assert_string_equal(seen, want);
}

static void
test_options_bundles_and_arguments(void **state)
{
	(void)state;
	CHECK("ab:c", "a c b=x | rest", "p", "-acbx", "rest");
	CHECK("ab:c", "a b=x | rest", "p", "-ab", "x", "rest");
	CHECK("ab:c", "b=-a |", "p", "-b", "-a");
	CHECK("ab:c", "b= |", "p", "-b", "");
	CHECK("ab:c", "a c |", "p", "-a", "-c");
	CHECK("ab:c", "|", "p");
}

static void
test_options_end(void **state)
{
	(void)state;
	CHECK("ab:c", "a | -c", "p", "-a", "--", "-c");
	CHECK("ab:c", "a | - -c", "p", "-a", "-", "-c");
	CHECK("ab:c", "a | x -c", "p", "-a", "x", "-c");
	CHECK("ab:c", "|  -c", "p", "", "-c");
}

static void
test_options_complaints(void **state)
{
	(void)state;
	CHECK("ab:c", "? |prog: illegal option -- x\n", "/bin/prog", "-x");
	CHECK("ab:c", "a ? |p: option requires an argument -- b\n", "p", "-ab");
	CHECK("ab:c", "? |p: illegal option -- :\n", "p", "-:");
	/* Long options are single letters here. */
	CHECK("ab:c", "? |p: illegal option -- -\n", "p", "--all");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_bundles_and_arguments),
		cmocka_unit_test(test_options_end),
		cmocka_unit_test(test_options_complaints),
	};

	return RUN_TESTS(tests);
}
