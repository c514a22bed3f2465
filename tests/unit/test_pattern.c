/* Lists of expressions: matching, laziness, limits, and regcomp(3) as judge. */
#include "base/error.h"
#include "base/pattern.h"
#include "unit.h"

#include <regex.h>

struct heard {
	unsigned count, line;
	const char *why;
};

static void
hear(void *arg, unsigned line, const char *why)
{
	struct heard *heard = arg;

	heard->count++;
	heard->line = line;
	heard->why = why;
}

static struct heard heard;
static const struct pattern_reporter reporter = { hear, &heard };

static struct pattern_list *
parse(const char *text)
{
	struct pattern_list *list = NULL;

	heard = (struct heard){ .count = 0 };
	assert_int_equal(
	    pattern_list_parse(strv_of(text), &reporter, &list), 0);
	return list;
}

/* The line that matches, or 0. */
static unsigned
ask(struct pattern_list *list, const char *subject)
{
	unsigned line = 0;
	int r = pattern_list_match(list, strv_of(subject), &reporter, &line);

	assert_true(r == 0 || r == QE_ABSENT);
	assert_int_equal(r == 0, line != 0);
	return line;
}

static void
test_first_match_is_named(void **state)
{
	struct pattern_list *list =
	    parse("# comment\n\n^root@\n@spam[0-9]*\\.example$  \n[A-Z]x#y\n");

	(void)state;
	assert_int_equal(heard.count, 0);
	assert_int_equal(ask(list, "root@spam.example"), 3);
	assert_int_equal(ask(list, "ROOT@x"), 3);
	assert_int_equal(ask(list, "joe@SPAM12.Example"), 4);
	assert_int_equal(ask(list, "joe@spam12.example.org"), 0);
	assert_int_equal(ask(list, "joe@spamx.example"), 0);
	assert_int_equal(ask(list, "qx#y"), 5);
	assert_int_equal(ask(list, ""), 0);
	pattern_list_free(&list);
	assert_null(list);
}

static void
test_broken_line_is_told_and_the_rest_holds(void **state)
{
	struct pattern_list *list = parse("good\nbro(ken\nfine\n");

	(void)state;
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.line, 2);
	assert_string_equal(heard.why, "unbalanced parenthesis");
	assert_int_equal(ask(list, "bro(ken"), 0);
	assert_int_equal(ask(list, "good"), 1);
	assert_int_equal(ask(list, "fine"), 3);
	pattern_list_free(&list);
}

static void
test_nothing_is_compiled_before_it_is_needed(void **state)
{
	struct pattern_list *list = parse("spam\nviagra\n\\.dyn\\.example$\n");

	(void)state;
	assert_int_equal(pattern_list_compiled(list), 0);
	assert_int_equal(ask(list, "joe@a.example"), 0);
	assert_int_equal(pattern_list_compiled(list), 0);
	assert_int_equal(ask(list, "x.dyn.example"), 3);
	assert_int_equal(pattern_list_compiled(list), 1);
	assert_int_equal(ask(list, "y.dyn.example"), 3);
	assert_int_equal(pattern_list_compiled(list), 1);
	pattern_list_free(&list);
}

static void
test_too_large_is_told_at_once(void **state)
{
	struct pattern_list *list =
	    parse("((abcdefgh{200}){200}){200}\nfine\n");

	(void)state;
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.line, 1);
	assert_string_equal(heard.why, "too large");
	assert_int_equal(ask(list, "fine"), 2);
	pattern_list_free(&list);
}

static void
test_runaway_is_no_match_and_told(void **state)
{
	struct pattern_list *list = parse("(x+x+)+[0-9]\nabsent\nplain\n");
	char subject[900];

	(void)state;
	memset(subject, 'x', sizeof(subject) - 1);
	memcpy(subject, "plain", 5);
	subject[sizeof(subject) - 1] = '\0';
	assert_int_equal(ask(list, subject), 3);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.line, 1);
	/* So it is when PCRE2's other compiler has had its turn. */
	for (int i = 0; i < 2 * PATTERN_JIT_AFTER; i++)
		assert_int_equal(ask(list, subject), 3);
	assert_int_equal(heard.count, 1 + 2 * PATTERN_JIT_AFTER);
	pattern_list_free(&list);
}

static void
test_list_of_runaways_ends_in_time(void **state)
{
	static const char line[] = "(x+x+)+[0-9]\n";
	const size_t size = sizeof(line) - 1;
	struct buf text = BUF_INIT;
	struct pattern_list *list;

	(void)state;
	while (text.len + size < PATTERN_COUNT_MAX * size)
		buf_add_str(&text, line);
	list = parse(buf_cstr(&text));
	assert_int_equal(ask(list, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), 0);
	assert_int_equal(heard.line, 0);
	assert_string_equal(
	    heard.why, "too much work on this subject, the rest is not asked");
	assert_int_equal(ask(list, "y"), 0);
	pattern_list_free(&list);
	buf_free(&text);
}

static void
test_used_often_it_matches_the_same(void **state)
{
	struct pattern_list *list = parse("^[a-z]+[0-9]{2}@.*\\.example$\n");

	(void)state;
	for (int i = 0; i < 4 * PATTERN_JIT_AFTER; i++) {
		assert_int_equal(ask(list, "joe12@mx.EXAMPLE"), 1);
		assert_int_equal(ask(list, "joe1@mx.example"), 0);
	}
	assert_int_equal(heard.count, 0);
	pattern_list_free(&list);
}

static void
test_too_many_lines(void **state)
{
	static char text[2 * PATTERN_COUNT_MAX + 3];
	struct pattern_list *list = NULL;

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = '\n';
	assert_int_equal(pattern_list_parse(strv_from(text, sizeof(text) - 3),
			     &reporter, &list),
	    0);
	pattern_list_free(&list);
	assert_int_equal(
	    pattern_list_parse(strv_from(text, sizeof(text)), &reporter, &list),
	    QE_LIMIT);
	assert_null(list);
}

static void
test_empty_list(void **state)
{
	struct pattern_list *list = parse("");

	(void)state;
	assert_int_equal(ask(list, "anything"), 0);
	pattern_list_free(&list);
	list = parse("\n# nothing\n   \n");
	assert_int_equal(ask(list, ""), 0);
	assert_int_equal(heard.count, 0);
	pattern_list_free(&list);
}

/* -- the same as the C library ----------------------------------------- */
static const char *const expressions[] = { "a", "^a", "a$", "^a$", "a|b",
	"(a|b)c", "a*b", "a+b", "a?b", "a{2}b", "a{1,2}b", "a{2,}b", "[abc]",
	"[^abc]", "[a-c]x", "[]x]", "[^]x]", "[-x]", "[x-]", ".", "a.b", "\\.",
	"\\*", "(a(b|c)*)+d", "[[:digit:]]+", "[[:upper:]]x", "^$", "x(ab)?y",
	"a{0}b", "()", "a()b", "[.]", "[\\.]", "(a|ab)(c|bcd)", "[[=a=]]b",
	"a\\{", "(^a)", "(a$)", "a|^b|c$", "[[:space:]]", "\\w+x", "x@y\\.z",
	"((a))", "[a-c]{2,3}$", "b{1,2}?" };
static const char *const subjects[] = { "", "a", "A", "b", "ab", "aab", "abc",
	"ac", "bc", "aabcd", "x", "ax", "xab", "xaby", "xy", "1", "12x", "X",
	"a.b", "a*b", ".", "\\", "]", "-", "a{", "a{,2}", "abcd", "acbd", "a b",
	"x@y.z", "X@Y.Z", "x@yaz", "cc", "ccc", "zb", "bx", "cx", "_x" };

static void
compare(const char *expression)
{
	struct pattern_list *list;
	regex_t judge;
	bool compiles = regcomp(&judge, expression,
			    REG_EXTENDED | REG_ICASE | REG_NOSUB) == 0;

	list = parse(expression);
	/* The C library takes some that regex(7) does not. */
	if (heard.count == 0 && compiles)
		for (size_t i = 0; i < sizeof(subjects) / sizeof(*subjects);
		     i++) {
			bool wanted =
			    regexec(&judge, subjects[i], 0, NULL, 0) == 0;

			if ((ask(list, subjects[i]) != 0) != wanted)
				fail_msg("%s on '%s': %d", expression,
				    subjects[i], wanted);
		}
	pattern_list_free(&list);
	if (compiles)
		regfree(&judge);
}

static void
test_same_as_the_c_library(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(expressions) / sizeof(*expressions); i++)
		compare(expressions[i]);
}

/* Expressions of a few letters, all of them, as far as they go. */
static void
test_same_as_the_c_library_for_short_ones(void **state)
{
	static const char letters[] = "ab.*|()[]^";
	const size_t n = sizeof(letters) - 1;
	char text[5];

	(void)state;
	for (size_t i = 0; i < n * n * n * n; i++) {
		size_t rest = i;

		for (size_t at = 0; at < 4; at++, rest /= n)
			text[at] = letters[rest % n];
		text[4] = '\0';
		compare(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_match_is_named),
		cmocka_unit_test(test_broken_line_is_told_and_the_rest_holds),
		cmocka_unit_test(test_nothing_is_compiled_before_it_is_needed),
		cmocka_unit_test(test_too_large_is_told_at_once),
		cmocka_unit_test(test_runaway_is_no_match_and_told),
		cmocka_unit_test(test_list_of_runaways_ends_in_time),
		cmocka_unit_test(test_used_often_it_matches_the_same),
		cmocka_unit_test(test_too_many_lines),
		cmocka_unit_test(test_empty_list),
		cmocka_unit_test(test_same_as_the_c_library),
		cmocka_unit_test(test_same_as_the_c_library_for_short_ones),
	};

	return RUN_TESTS(tests);
}
