/*
 * Tokens of structured header fields (RFC 822 section 3.3), read one at a
 * time from borrowed bytes: no memory, no recursion, linear time.
 */
#ifndef MAIL_TOKEN_H
#define MAIL_TOKEN_H

#include "base/buf.h"

#include <stdbool.h>

enum token_kind {
	TOKEN_END,
	TOKEN_ATOM,    /* backslash pairs and bytes >= 128 included */
	TOKEN_QUOTED,  /* with its quotes */
	TOKEN_LITERAL, /* with its brackets */
	TOKEN_COMMENT, /* with its parentheses, nested ones too */
	TOKEN_COMMA,
	TOKEN_SEMICOLON,
	TOKEN_COLON,
	TOKEN_LEFT,  /* < */
	TOKEN_RIGHT, /* > */
	TOKEN_AT,
	TOKEN_DOT
};

struct token {
	enum token_kind kind;
	bool spaced;      /* blanks stood before it */
	struct strv text; /* as in the source */
};

/*
 * Takes the next token off *rest; TOKEN_END at the end.  0, or QE_SYNTAX: an
 * unclosed quote, comment or literal, a stray ')' or ']', a NUL.
 */
int token_next(struct strv *rest, struct token *out);

/* True for what may be part of a local part or a phrase. */
bool token_is_word(const struct token *t);
/* What the token means: quotes and backslashes undone, line ends dropped. */
void token_add_meaning(struct buf *out, const struct token *t);
/* The token as it may stand in a header again, on one line. */
void token_add_printed(struct buf *out, const struct token *t);

#endif
