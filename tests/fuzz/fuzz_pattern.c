/*
 * base/ere and base/pattern: an expression and, behind the first LF, a
 * subject.  What is translated compiles, and the sieve in front of PCRE2 lets
 * everything pass that PCRE2 would match.
 */
#include "base/ere.h"
#include "base/error.h"
#include "base/pattern.h"
#include "fuzz.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { SUBJECT_MAX = 300, STEPS = 1000 };

static void
hear(void *arg, unsigned line, const char *why)
{
	(void)line;
	require(why[0] != '\0');
	(*(unsigned *)arg)++;
}

/* True if PCRE2 alone finds a match, cheaply. */
static bool
plain_match(struct ere *ere, struct strv subject)
{
	struct strv pcre = buf_view(&ere->pcre);
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	size_t where;
	int r, code;
	pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pcre.ptr, pcre.len,
	    PCRE2_CASELESS | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY, &code, &where,
	    NULL);

	require(context != NULL && data != NULL);
	require(compiled != NULL || ere->may_be_large);
	pcre2_set_match_limit(context, STEPS);
	r = compiled == NULL ? -1
			     : pcre2_match(compiled, (PCRE2_SPTR)subject.ptr,
				   subject.len, 0, 0, data, context);
	pcre2_code_free(compiled);
	pcre2_match_data_free(data);
	pcre2_match_context_free(context);
	return r >= 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv subject = fuzz_input(data, size);
	struct strv text = strv_trim_end(strv_cut(&subject, '\n', NULL));
	unsigned heard = 0, line = 0;
	const struct pattern_reporter reporter = { hear, &heard };
	struct pattern_list *list = NULL;
	struct ere ere = { .may_be_large = false };
	const char *why = NULL;
	int r = ere_translate(text, &ere, &why);

	subject = strv_head(subject, SUBJECT_MAX);
	require(r == 0 || (r == QE_SYNTAX && why != NULL));
	require(pattern_list_parse(text, &reporter, &list) == 0);
	if (text.len > 0 && text.ptr[0] != '#')
		require(r == 0 || heard > 0);
	if (r == 0 && heard == 0 && text.len > 0 && text.ptr[0] != '#' &&
	    plain_match(&ere, subject))
		require(
		    pattern_list_match(list, subject, &reporter, &line) == 0);
	pattern_list_free(&list);
	ere_free(&ere);
	return 0;
}
