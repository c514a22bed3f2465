/*
 * One address within a row of tokens: its extent, its meaning and its printed
 * form.
 */
#ifndef MAIL_ADDRSPEC_H
#define MAIL_ADDRSPEC_H

#include "mail/addrlist.h"
#include "mail/token.h"

/* Tokens between two delimiters of a list. */
struct token_run {
	struct token *items;
	size_t count;
};

/*
 * Parses the address that begins at token *at, comments skipped, and moves
 * *at behind it.  Its printed form goes to printed, its meaning to plain.  0,
 * QE_SYNTAX, QE_LIMIT, QE_NOMEM.
 */
int addrspec_parse(const struct token_run *run, size_t *at,
    const struct address_rules *rules, struct buf *printed, struct buf *plain);

/* Appends " (comment)" for each comment among tokens from..to. */
void addrspec_add_comments(
    const struct token_run *run, size_t from, size_t to, struct buf *out);
/* The first token at or behind at that is no comment, or the count. */
size_t addrspec_skip_comments(const struct token_run *run, size_t at);

#endif
