/*
 * A list of extended regular expressions, one a line, asked as a whole: does
 * one of them match?  Without regard to case (ASCII), not anchored.
 *
 * A thin wrapper over PCRE2.  An expression is compiled when a subject holds
 * all strings that it needs, once, and by the machine-code compiler after it
 * was used a while; so a list of thousands costs a session next to nothing.
 * Matching is bounded: beyond the bound there is no match, and a report.
 */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/strv.h"

#include <stddef.h>

enum {
	PATTERN_FILE_MAX = 256 << 10, /* bytes of a file of them */
	PATTERN_COUNT_MAX = 20000,    /* expressions of a list */
	PATTERN_CODE_MAX = 1 << 20,   /* bytes of all that are compiled */
	PATTERN_STEPS_MAX = 2000000,  /* of one expression on one subject */
	PATTERN_DEPTH_MAX = 5000,     /* of nested choices */
	PATTERN_HEAP_MAX = 512,       /* KiB for them */
	PATTERN_CALL_MS = 1000,       /* of the whole list on one subject */
	PATTERN_JIT_AFTER = 16        /* uses before compiling it better */
};

struct pattern_list; /* opaque */

/* Hears of a line (0: the whole list) that is ignored, or over the bound. */
typedef void (*pattern_report)(void *arg, unsigned line, const char *why);

struct pattern_reporter {
	pattern_report hear;
	void *arg;
};

/*
 * Blanks at the end, empty lines and lines that begin with '#' are no
 * expressions.  A line that is none is reported and ignored.  0, QE_LIMIT (too
 * many) or QE_NOMEM.
 */
int pattern_list_parse(struct strv text,
    const struct pattern_reporter *reporter, struct pattern_list **out);
/* 0 and the line of the first that matches; QE_ABSENT; QE_NOMEM. */
int pattern_list_match(struct pattern_list *list, struct strv subject,
    const struct pattern_reporter *reporter, unsigned *line);
size_t pattern_list_compiled(const struct pattern_list *list);
void pattern_list_free(struct pattern_list **list);

#endif
