/*
 * Lists of expressions over PCRE2 (pcre2api(3)).
 *
 * What keeps long lists cheap: most expressions are ruled out by the letter
 * groups that whatever they match must contain (gram.h), and only those that
 * are left are compiled and matched.
 */
#include "base/pattern.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/ere.h"
#include "base/error.h"
#include "base/gram.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum {
	LITERALS_WEAK = 2, /* bytes: a letter and its NUL rule out little */
	CLOCK_EVERY = 16   /* matches between looks at the clock */
};

struct pattern {
	struct strv text; /* in the list's bytes */
	unsigned line;
	struct grams grams;
	bool dead;     /* PCRE2 refused it */
	bool fast;     /* there is machine code for it */
	unsigned uses; /* up to PATTERN_JIT_AFTER */
	pcre2_code *code;
};

struct pattern_list {
	struct buf bytes;
	struct pattern *items;
	size_t count, compiled;
	size_t code_bytes;
	struct ere scratch;
	struct buf subject; /* in lower case, as expressions want it */
	struct arena codes; /* what PCRE2 makes of them */
	bool is_compiling;
	/* Made with the first expression that is compiled. */
	pcre2_compile_context *compile_context;
	pcre2_match_data *match;
	pcre2_match_context *context;
};

/*
 * PCRE2's malloc(3) and free(3).  Its codes stay as long as the list; what the
 * machine-code compiler needs for a moment does not.
 */
static void *
code_take(size_t n, void *arg)
{
	struct pattern_list *list = arg;
	void *block = list->is_compiling ? arena_take(&list->codes, n) : NULL;

	return block != NULL ? block : malloc(n);
}

static void
code_give(void *block, void *arg)
{
	struct pattern_list *list = arg;

	if (!arena_give(&list->codes, block))
		free(block);
}

static int
prepare_compiling(struct pattern_list *list)
{
	pcre2_general_context *general;

	if (list->compile_context != NULL)
		return 0;
	general = pcre2_general_context_create(code_take, code_give, list);
	if (general == NULL)
		return QE_NOMEM;
	list->compile_context = pcre2_compile_context_create(general);
	pcre2_general_context_free(general);
	return list->compile_context == NULL ? QE_NOMEM : 0;
}

static int
prepare_matching(struct pattern_list *list)
{
	if (list->match != NULL)
		return 0;
	if (list->context == NULL)
		list->context = pcre2_match_context_create(NULL);
	if (list->context == NULL)
		return QE_NOMEM;
	pcre2_set_depth_limit(list->context, PATTERN_DEPTH_MAX);
	pcre2_set_heap_limit(list->context, PATTERN_HEAP_MAX);
	list->match = pcre2_match_data_create(1, NULL);
	return list->match == NULL ? QE_NOMEM : 0;
}

/* No code: reported, and never tried again. */
static int
refuse(struct pattern *pattern, const struct pattern_reporter *reporter,
    const char *why)
{
	pattern->dead = true;
	reporter->hear(reporter->arg, pattern->line, why);
	return QE_SYNTAX;
}

/* The translation stands in scratch: 0, QE_SYNTAX after a report, QE_NOMEM. */
static int
compile_scratch(struct pattern_list *list, struct pattern *pattern,
    const struct pattern_reporter *reporter)
{
	struct strv pcre = buf_view(&list->scratch.pcre);
	size_t size = 0, where;
	int code;

	if (prepare_compiling(list) != 0)
		return QE_NOMEM;
	list->is_compiling = true;
	pattern->code = pcre2_compile((PCRE2_SPTR)pcre.ptr, pcre.len,
	    PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE |
		PCRE2_NEVER_UTF,
	    &code, &where, list->compile_context);
	list->is_compiling = false;
	if (pattern->code == NULL && code == PCRE2_ERROR_NOMEMORY)
		return QE_NOMEM;
	if (pattern->code == NULL)
		return refuse(pattern, reporter, "too large");
	pcre2_pattern_info(pattern->code, PCRE2_INFO_SIZE, &size);
	if (list->code_bytes + size > PATTERN_CODE_MAX) {
		pcre2_code_free(pattern->code);
		pattern->code = NULL;
		return refuse(pattern, reporter, "no room left for it");
	}
	list->code_bytes += size;
	list->compiled++;
	return 0;
}

static int
compile(struct pattern_list *list, struct pattern *pattern,
    const struct pattern_reporter *reporter)
{
	const char *why = "";
	int r = prepare_matching(list);

	if (r == 0)
		r = ere_translate(pattern->text, &list->scratch, &why);
	return r == 0 ? compile_scratch(list, pattern, reporter) : r;
}

/*
 * Only bounds can make a short line too large: better told now.  And what
 * hardly any subject rules out is needed soon, and is translated already.
 */
static bool
wants_code_now(const struct pattern_list *list)
{
	return list->scratch.may_be_large ||
	       (list->scratch.literals.len <= LITERALS_WEAK &&
		   list->code_bytes < PATTERN_CODE_MAX / 2);
}

/* One line: an expression, or nothing. */
static int
add_line(struct pattern_list *list, struct strv line, unsigned number,
    const struct pattern_reporter *reporter)
{
	struct pattern *pattern = &list->items[list->count];
	const char *why = "";
	int r;

	line = strv_trim_end(line);
	if (line.len == 0 || line.ptr[0] == '#')
		return 0;
	if (list->count == PATTERN_COUNT_MAX)
		return QE_LIMIT;
	*pattern = (struct pattern){ .text = line, .line = number };
	r = ere_translate(line, &list->scratch, &why);
	if (r == QE_SYNTAX)
		reporter->hear(reporter->arg, number, why);
	if (r != 0)
		return r == QE_SYNTAX ? 0 : r;
	grams_keep(&pattern->grams, buf_view(&list->scratch.literals));
	if (wants_code_now(list))
		r = compile_scratch(list, pattern, reporter);
	if (r == QE_NOMEM)
		return r;
	list->count += pattern->dead ? 0 : 1;
	return 0;
}

static size_t
count_lines(struct strv text)
{
	size_t lines = 1;

	for (size_t i = 0; i < text.len; i++)
		lines += text.ptr[i] == '\n';
	return lines < PATTERN_COUNT_MAX + 1 ? lines : PATTERN_COUNT_MAX + 1;
}

int
pattern_list_parse(struct strv text, const struct pattern_reporter *reporter,
    struct pattern_list **out)
{
	struct pattern_list *list = calloc(1, sizeof(*list));
	unsigned number = 0;
	struct strv rest;
	int r;

	if (list == NULL)
		return QE_NOMEM;
	list->bytes.max = text.len + 1;
	buf_add_view(&list->bytes, text);
	list->items = calloc(count_lines(text), sizeof(*list->items));
	r = list->items == NULL ? QE_NOMEM : list->bytes.err;
	rest = buf_view(&list->bytes);
	while (r == 0 && rest.len > 0)
		r = add_line(
		    list, strv_cut(&rest, '\n', NULL), ++number, reporter);
	if (r != 0)
		pattern_list_free(&list);
	else
		*out = list;
	return r;
}

/* Each of the subject's bytes may begin a match: they share the steps. */
static void
limit_steps(struct pattern_list *list, struct strv subject)
{
	size_t each = PATTERN_STEPS_MAX / (subject.len + 1);

	pcre2_set_match_limit(list->context, (uint32_t)(each < 50 ? 50 : each));
}

/*
 * An expression that is used often is worth machine code, as long as there is
 * room for it.  Where it is not to be had, all goes on as before.
 */
static void
count_use(struct pattern_list *list, struct pattern *pattern)
{
	size_t size = 0;

	if (pattern->uses > PATTERN_JIT_AFTER)
		return;
	if (pattern->uses++ < PATTERN_JIT_AFTER ||
	    list->code_bytes > PATTERN_CODE_MAX / 2)
		return;
	if (pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) == 0 &&
	    pcre2_pattern_info(pattern->code, PCRE2_INFO_JITSIZE, &size) == 0) {
		pattern->fast = size > 0;
		list->code_bytes += size;
	}
}

/* What PCRE2 returns; its machine code is run without checks of the call. */
static int
run(struct pattern_list *list, const struct pattern *pattern,
    struct strv subject)
{
	PCRE2_SPTR bytes = (PCRE2_SPTR)subject.ptr;
	int r = PCRE2_ERROR_JIT_STACKLIMIT;

	if (pattern->fast)
		r = pcre2_jit_match(pattern->code, bytes, subject.len, 0, 0,
		    list->match, list->context);
	if (r != PCRE2_ERROR_JIT_STACKLIMIT)
		return r;
	return pcre2_match(pattern->code, bytes, subject.len, 0, PCRE2_NO_JIT,
	    list->match, list->context);
}

/* 0, QE_ABSENT, QE_NOMEM; beyond a bound it is reported as no match. */
static int
match_one(struct pattern_list *list, struct pattern *pattern,
    struct strv subject, const struct pattern_reporter *reporter)
{
	int r;

	count_use(list, pattern);
	r = run(list, pattern, subject);
	if (r >= 0)
		return 0;
	if (r == PCRE2_ERROR_NOMATCH)
		return QE_ABSENT;
	if (r == PCRE2_ERROR_NOMEMORY)
		return QE_NOMEM;
	reporter->hear(reporter->arg, pattern->line,
	    "too much work on this subject, taken for no match");
	return QE_ABSENT;
}

static int
try(struct pattern_list *list, struct pattern *pattern, struct strv subject,
    const struct pattern_reporter *reporter)
{
	if (pattern->code == NULL) {
		int r = compile(list, pattern, reporter);

		if (r != 0)
			return r == QE_SYNTAX ? QE_ABSENT : r;
	}
	return match_one(list, pattern, subject, reporter);
}

/* One subject and what was spent on it. */
struct attempt {
	struct strv subject;
	size_t tried;
	int64_t deadline;
};

/*
 * Before each match: 0, QE_TIMEOUT or QE_NOMEM.  The clock is looked at now
 * and then; it is not for nothing.
 */
static int
attempt_next(struct attempt *attempt, struct pattern_list *list)
{
	int r;

	if (attempt->tried++ % CLOCK_EVERY != 0)
		return 0;
	if (attempt->tried > 1)
		return clock_mono_ms() < attempt->deadline ? 0 : QE_TIMEOUT;
	attempt->deadline = clock_mono_ms() + PATTERN_CALL_MS;
	r = prepare_matching(list);
	if (r == 0)
		limit_steps(list, attempt->subject);
	return r;
}

int
pattern_list_match(struct pattern_list *list, struct strv given,
    const struct pattern_reporter *reporter, unsigned *line)
{
	struct attempt attempt;
	struct gram_set set;
	struct strv subject;

	buf_reset(&list->subject);
	list->subject.max = given.len + 1;
	buf_add_lower(&list->subject, given);
	if (list->subject.err != 0)
		return QE_NOMEM;
	subject = buf_view(&list->subject);
	attempt = (struct attempt){ .subject = subject };
	gram_set_fill(&set, subject);
	for (size_t i = 0; i < list->count; i++) {
		struct pattern *pattern = &list->items[i];
		int r;

		if (pattern->dead || !gram_set_has(&set, &pattern->grams))
			continue;
		r = attempt_next(&attempt, list);
		if (r == 0)
			r = try(list, pattern, subject, reporter);
		if (r == 0)
			*line = pattern->line;
		if (r == QE_TIMEOUT) {
			reporter->hear(reporter->arg, 0,
			    "too much work on this subject, the rest is not "
			    "asked");
			return QE_ABSENT;
		}
		if (r != QE_ABSENT)
			return r;
	}
	return QE_ABSENT;
}

size_t
pattern_list_compiled(const struct pattern_list *list)
{
	return list->compiled;
}

void
pattern_list_free(struct pattern_list **list)
{
	struct pattern_list *gone = *list;

	*list = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; gone->items != NULL && i < gone->count; i++)
		pcre2_code_free(gone->items[i].code);
	free(gone->items);
	pcre2_compile_context_free(gone->compile_context);
	arena_free(&gone->codes);
	if (gone->match != NULL)
		pcre2_match_data_free(gone->match);
	if (gone->context != NULL)
		pcre2_match_context_free(gone->context);
	ere_free(&gone->scratch);
	buf_free(&gone->subject);
	buf_free(&gone->bytes);
	free(gone);
}
