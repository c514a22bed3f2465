/*
 * The syntax of /etc/aliases, as sendmail has it: "name: value, value ...",
 * continued by lines that begin with a blank; '#' begins a comment line.
 */
#ifndef MAIL_ALIASES_H
#define MAIL_ALIASES_H

#include "base/buf.h"

#include <stddef.h>

enum {
	ALIASES_FILE_MAX = 64 << 20,
	ALIASES_NAME_MAX = 255,
	ALIASES_VALUE_MAX = 4096 /* bytes of one value */
};

enum alias_kind {
	ALIAS_ADDRESS, /* of any form, also "Name <joe@host>" made to joe@host
			*/
	ALIAS_PROGRAM, /* "|command" */
	ALIAS_FILE,    /* "/path" */
	ALIAS_INCLUDE  /* ":include:/path" */
};

/* Reads aliases one after the other. */
struct aliases {
	struct strv rest;
	size_t line;      /* of the present alias, from 1 */
	size_t next_line; /* behind it */
	struct buf name;  /* of the present alias, unquoted, as it is written */
	struct buf values; /* its logical line behind the colon */
};

void aliases_init(struct aliases *a, struct strv text);
/* 0 and name, values; QE_EOF; QE_SYNTAX (line tells where); QE_NOMEM. */
int aliases_next(struct aliases *a);
void aliases_free(struct aliases *a);

/*
 * Takes the next value off *rest: 0, with what it is and its text (without the
 * mark); QE_EOF at the end; QE_SYNTAX; QE_LIMIT; QE_NOMEM.  Text is emptied
 * first.  The lines of an included file have the same form.
 */
int aliases_value(struct strv *rest, enum alias_kind *kind, struct buf *text);

#endif
