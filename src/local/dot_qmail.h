/*
 * .qmail files: what their lines mean (dot-qmail(5)).
 * Which one handles an address is conf/mailbox.h's.
 *
 * Works in the present directory, the user's home.  Nothing here delivers.
 */
#ifndef LOCAL_DOT_QMAIL_H
#define LOCAL_DOT_QMAIL_H

#include "base/buf.h"

#include <stdbool.h>

enum {
	DOT_QMAIL_MAX = 4 << 20,     /* bytes of one file */
	DOT_QMAIL_CONTINUED_MAX = 20 /* "%name" lines obeyed in a row */
};

struct dot_qmail {
	bool found;
	bool forward_only;     /* the file has the x bit */
	struct buf text;       /* its content */
	const char *remainder; /* DEFAULT, or NULL */
	/* The file found, or the one that made trouble. */
	struct buf name;
};

/*
 * Finds and reads the file.  0 (look at found); QE_SYS (errno; name cannot be
 * opened or read); QE_DENIED (others may write to it); QE_LIMIT (too big);
 * QE_SYNTAX (it holds a NUL); QE_NOMEM.
 */
int dot_qmail_find(const char *dash, const char *ext, struct dot_qmail *out);
/*
 * The file .qmail-<name> that a "%name" line goes on with, by the same tests;
 * QE_ABSENT also for what is no regular file or no name of a file here.
 */
int dot_qmail_open_named(struct strv name, struct dot_qmail *out);
void dot_qmail_clear(struct dot_qmail *d);

enum dot_qmail_kind {
	DQ_BLANK,
	DQ_COMMENT,
	DQ_MBOX,
	DQ_MAILDIR,
	DQ_PROGRAM,
	DQ_FORWARD,
	DQ_FORWARDS_ONLY, /* "+list" */
	DQ_IGNORED,       /* any other "+" line */
	DQ_CONDITION,     /* "?command": is the next instruction obeyed? */
	DQ_CONTINUE,      /* "%name": go on with .qmail-name */
	DQ_LMTP,          /* "!lmtp:server ..." */
	DQ_UNKNOWN        /* any other "!" line */
};

struct dot_qmail_line {
	enum dot_qmail_kind kind;
	struct strv text; /* without its mark and trailing blanks */
};

/* Takes the next line off *rest; false at the end. */
bool dot_qmail_line_next(struct strv *rest, struct dot_qmail_line *out);

#endif
