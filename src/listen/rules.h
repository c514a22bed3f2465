/*
 * Rules for clients, as tcprules(1) compiles them: who is refused, and what
 * more stands in the environment of a program that serves one.
 */
#ifndef LISTEN_RULES_H
#define LISTEN_RULES_H

#include "base/buf.h"
#include "base/net.h"

#include <stdbool.h>

enum {
	RULE_BYTES_MAX = 65536, /* of one rule's variables */
	RULE_VARIABLES_MAX = 100
};

struct rules {
	const char *path; /* of the cdb; NULL: there are no rules */
	bool optional;    /* without the file there are none */
	struct cdb_reader *reader;
};

struct ruling {
	bool deny;
	/* "NAME=value" each; NULL at the end.  They live until the next
	 * rules_find(). */
	char *variables[RULE_VARIABLES_MAX + 1];
	size_t count;
	struct buf bytes; /* owned: rules_free() */
};

/*
 * The first rule there is for: the address, as text; shorter and shorter
 * prefixes of it, which end with a dot; the empty word.  An IPv6 address is
 * first looked for as text, and for prefixes as eight groups of four
 * hexadecimal digits with dots between, as rules divide at their first colon.
 *
 * The file is taken up again when it has changed.  0, also where there is no
 * rule (nothing is denied then); QE_ABSENT (no file); QE_CORRUPT (the file, or
 * the rule); QE_LIMIT (a rule too large); QE_SYS, QE_NOMEM.
 */
int rules_find(
    struct rules *rules, const struct ipaddr *client, struct ruling *out);
void rules_free(struct rules *rules, struct ruling *ruling);

/* Value of a variable that the rule sets, or NULL. */
const char *ruling_get(const struct ruling *ruling, const char *name);

#endif
