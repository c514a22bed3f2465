/*
 * The address fields of a header: each one parsed, printed again, and what it
 * says about the envelope collected.
 */
#ifndef INJECT_REWRITE_H
#define INJECT_REWRITE_H

#include "conf/control.h"
#include "inject/header.h"
#include "mail/addrlist.h"

struct rewriting {
	/* In: */
	const struct address_rules *rules;
	bool want_recipients; /* those of the header are used */
	const struct control_set *followup_list; /* or NULL */
	/* Out: */
	struct buf text;       /* all rewritten fields */
	struct strv *fields;   /* one for each field of the header */
	struct buf recipients; /* each ended by NUL */
	bool has_return_path;
	struct buf return_path; /* the first address of the first one */
	struct buf followup;    /* To and Cc, one address a line */
	bool followup_matches;  /* one of them is in the list */
	struct strv culprit;    /* the field that does not parse */
};

/*
 * 0; QE_SYNTAX or QE_LIMIT with the culprit; QE_NOMEM.  A recipient field
 * that does not parse and is not needed stays as it is.
 */
int rewrite_header(struct rewriting *r, const struct header *header);
void rewriting_free(struct rewriting *r);

/* Appends the addresses of a list from right to left, without <>. */
void addresses_add_reversed(const struct addrlist *list, struct buf *out);

#endif
